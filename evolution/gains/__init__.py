"""The gains of many runs, models times benchmarks: how they are played, and the table as Markdown, figures and one HTML page."""

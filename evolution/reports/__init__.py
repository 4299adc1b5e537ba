"""Reports: what a run says, read from its store, as text, figures, one HTML page, or while it still runs."""

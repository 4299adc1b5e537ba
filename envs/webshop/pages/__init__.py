"""The pages in text: what is on each and where an action leads. Imports the catalogue and the search engine."""

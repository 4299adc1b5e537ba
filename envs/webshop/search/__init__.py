"""The search engine: Lucene's analysis of words, postings, scores. Imports the catalogue."""

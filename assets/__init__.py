"""Prompts, schemas, seed harnesses and small data. Imports nothing of homebody."""

"""ALFWorld's own game files: found, fetched, parsed, checked. Imports the engine and the goals in other words."""

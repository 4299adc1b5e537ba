"""Goals as people say them. Imports the engine."""

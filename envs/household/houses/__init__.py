"""Procedural houses: rooms, furniture and tasks from a seed. Imports the engine and the goals in other words."""

"""What the shop sells: products read from files or made from a seed, and written. Imports nothing else of the shop."""

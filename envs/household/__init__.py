"""The household in text: one engine for ALFWorld's game files and for houses made from a seed.

`env` has the environments, each folder says what it imports. Above envs the household is made by its ids.
"""

"""The household in text: one engine for ALFWorld's game files and for houses made from a seed."""

"""Models, the harness, and one episode. Knows no particular environment."""

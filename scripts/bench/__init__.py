"""What `homebody bench` measures, one module a subject."""

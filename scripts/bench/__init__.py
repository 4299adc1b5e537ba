"""What `homebody bench` measures, one module a subject. The command alone imports it; it may import everything."""

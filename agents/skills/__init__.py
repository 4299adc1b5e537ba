"""Procedures learned from demonstrations (plans, places, pages): advice to a model, or a policy without one."""

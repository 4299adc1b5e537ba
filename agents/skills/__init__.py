"""Procedures learned from demonstrations (plans, places, pages): advice to a model, or a policy without one.

A skill is a processor. Imports the processors; the harness imports it, and evolution, which learns what it holds.
"""

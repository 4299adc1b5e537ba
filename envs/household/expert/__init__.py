"""Policies without a model: an exact planner, and the scripted policy, which sees what an agent sees.

Imports the engine.
"""

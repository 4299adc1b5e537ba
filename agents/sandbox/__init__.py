"""Code and templates that nobody trusts, run in worker processes within limits.

Imports errors alone. Models import it for chat templates, processors for templates of prompts.
"""

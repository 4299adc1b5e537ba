"""Code and templates that nobody trusts, run in worker processes within limits."""

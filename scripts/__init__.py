"""The command line and the set-up scripts. Thin: what a command does stands in evolution, agents or envs. Nothing imports it."""

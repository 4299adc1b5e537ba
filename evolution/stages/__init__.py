"""The stages of one round: edits are proposed, tried on validation tasks, kept to the goals that they help, and shipped."""

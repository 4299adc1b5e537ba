"""The harness: the document, its schema, patches, hooks, the harness at work and its rules for mid-task."""

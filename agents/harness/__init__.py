"""The harness: the document, its schema, patches, hooks, the harness at work and its rules for mid-task.

Imports the processors and the skills, whose library it holds; they import its hooks and the grammar of commands alone. An episode,
evolution and the command line import it.
"""

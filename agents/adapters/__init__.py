"""Task sets of homebody in other programs: an inspect_ai task, and a verifiers environment.

The two modules that import those programs are imported by nobody here: the programs load them. A harness plays in both; `relay` has what
they share. Models are the program's own.
"""

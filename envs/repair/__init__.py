"""Small programs with faults, to be repaired: `homebody/Repair-v0`.

`env` has the environment. Imports the base of text environments and the interpreter; above envs it is made by its id.
"""

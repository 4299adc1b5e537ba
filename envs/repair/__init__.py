"""Small programs with faults, to be repaired: `homebody/Repair-v0`."""

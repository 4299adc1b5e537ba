"""Reports: what a run says, read from its store, as text, figures, one HTML page, records to train on, or while it still runs.

Controls and the command line import it; it reads the store, the evidence and the statistics of the gate, and plays nothing but replays.
"""

"""The story of seclatch in a few real runs: `seclatch demo`.

Enters: the name of a runtime. Leaves: lines of text, and whether each run ended as it should. Runs
the command line itself in processes of its own, so it imports only `output` and `data`.
"""

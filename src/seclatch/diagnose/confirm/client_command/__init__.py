"""Read the command line of a client or runtime, for a run that is made again.

In: the words of a command. Out: its options, the image or container behind them, what a second run
must not have. `second_run.py` is the run that is planned. Imports nothing of seclatch.
"""

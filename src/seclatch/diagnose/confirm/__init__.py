"""Confirm an answer by experiment: run the command again with the denied calls allowed.

In: the evidence of a first run. Out: a verdict, and what was tried. A command is run again only if
all that its second container shares with the first one is known; else the reason is the result.
"""

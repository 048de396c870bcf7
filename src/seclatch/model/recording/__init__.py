"""Values of a recording: the document, and what is merged, selected and counted in it.

`recording.py` is the content of a recording's file, the rest works on it. In: recordings. Out:
recordings, sums, roles, bounds. May import `model`.
"""

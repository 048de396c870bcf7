"""Attribute what engines and their daemons did: for the recorded command, or for others.

In: a trace. Out: the trace's processes that belong to the command, with image and profile.
May import `recording.trace` and `system`.
"""

"""List the denied calls of a run, and decide which of them a process ended over.

May import `diagnose.evidence`, `profile`, `filter` and `recording`.
"""

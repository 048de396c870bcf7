"""List the denied calls of a run, each with its rule, and which of them a process ended over.

May import `diagnose.evidence`, `profile`, `filter` and `recording`.
"""

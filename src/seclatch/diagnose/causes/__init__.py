"""The causes, one a file; `registry.py` has their order.

Each has a function `find` that takes the run being diagnosed. May import `diagnose.denials` and
`diagnose.evidence`.
"""

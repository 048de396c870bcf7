"""The causes, one a file; `registry.py` has their order.

Each has one function `find_…`, which takes the run being diagnosed. May import
`diagnose.denials` and `diagnose.evidence`.
"""

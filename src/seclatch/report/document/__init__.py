"""A report's content as values, computed from a recording. Pure.

`report_document.py` has the types. In: a recording. Out: histories, container starts, the tree,
the matrix of calls. May import `report.tables`.
"""

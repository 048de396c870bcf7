"""Tables for a terminal: a recording, a scan, processes.

In: values of `model`. Out: lines of a table, or the document of `--json`. May import `model` and
`output`.
"""

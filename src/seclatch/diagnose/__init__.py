"""Explain why a command or container fails, and whether seccomp is the cause.

In: a command, or evidence of its run. Out: an explanation (`seclatch.model.explanation`).
Evidence → denials → failure → causes → remedies → confirm, each a sub-package that imports only
those before it.
"""

"""The parts of an installation: changes of the host's files, and their record.

In: the host's root directory. Out: steps that can describe, apply and undo themselves. `engine.py`
is the interface of an engine to the installer. May import `model`, `system` and `runtime`.
"""

"""Say what to do about a cause, ready to paste where that is possible.

May import the other sub-packages of `diagnose`, and `profile` to change one and try it.
"""

"""Say what to do about a cause, ready to paste where that is possible.

May import `diagnose.causes`, `diagnose.denials`, `diagnose.evidence` and `profile.checks`.
"""

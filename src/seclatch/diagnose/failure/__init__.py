"""Decide whether denied calls made a program fail: seccomp, not seccomp, or cannot tell.

In: evidence and denials of a run. Out: the chain of failed processes, and a judgement with its
reason. May import `diagnose.evidence` and `diagnose.denials`.
"""

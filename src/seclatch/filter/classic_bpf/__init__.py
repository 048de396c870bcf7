"""Classic BPF as seccomp accepts it: decode, verify and interpret a program.

In: bytes or a filter, and a call. Out: a verified filter, a verdict. May import `model`.
"""

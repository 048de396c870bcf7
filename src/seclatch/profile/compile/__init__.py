"""Resolve a profile for one host, and compile it to the program that a runtime loads.

In: a profile. Out: OCI's `linux.seccomp`, then classic BPF. May import `profile.export` and
`system`.
"""

"""Tighten annotated containers by themselves, at each start, once they are ready.

In: the pid and bundle that the latch's front hands over (native/supervise.c). Out: the running
profile on the container, the filter for its exec sessions, lines in the system log. May import
`tighten`, `recording.ready` and the reader of bundles' annotations.
"""

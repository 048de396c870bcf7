"""The recorder of a container that asks for it by annotation, and where its recordings are kept.

In: the pid and bundle that the latch's front hands over. Out: recordings in a root-owned spool.
May import all of `recording`.
"""

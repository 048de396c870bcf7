"""Tighten a user's own container or process without root.

In: a container or process of the calling user. Out: what was bound. May import `tighten` and
`tighten.roles`.
"""

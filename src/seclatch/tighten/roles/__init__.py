"""Tighten the processes of a container by their roles: main process and workers.

In: a container and a profile for each role. Out: what was bound, and processes bound later. May
import `tighten`.
"""

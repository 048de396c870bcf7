"""Collect what is known of a run: trace, single calls, messages, bundles, profiles.

May import `recording`, `profile` and `model`.
"""

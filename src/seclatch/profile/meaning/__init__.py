"""Decide what rules mean: verdicts by argument, equality, difference, union, intersection.

In: resolved profiles or programs. Out: verdicts and rules. May import `profile.compile` and
`filter`.
"""

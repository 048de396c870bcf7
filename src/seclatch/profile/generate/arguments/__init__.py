"""Conditions on arguments in a generated profile: recorded values, constants that were scanned.

In: recordings and scans. Out: rules that compare arguments, verdicts on recorded values. May import
`profile.meaning`.
"""

"""Generate a profile from recordings and scans, or carry one to another architecture.

In: a recording, a scan, a base profile. Out: a profile with the reason of each rule. May import
`profile.checks`, `profile.meaning`, `profile.compile` and `profile.export`.
"""

"""Score profiles: what they leave open, and which public kernel vulnerabilities that reaches.

In: what filters say of calls. Out: counts and names. May import `profile.meaning` and
`profile.curated`.
"""

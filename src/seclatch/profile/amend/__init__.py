"""Amend a profile by the denials that were seen under it, in its own text.

In: a profile's text, recordings, denial logs. Out: the calls that were denied with what becomes of
each, and the text with rules added. May import `profile.parse`, `profile.compile`,
`profile.meaning`, `profile.curated`, `profile.generate`, and `output` for JSON edited in place.
"""

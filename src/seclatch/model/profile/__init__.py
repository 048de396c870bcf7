"""Values of a profile: its document, and what is said about one.

`profile.py` is the JSON document; findings of checks, reasons of rules, fit to a recording and
amendments are results about it. May import `model`.
"""

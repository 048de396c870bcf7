"""Keep a generated profile within what the recorded container had.

In: the profile that bound the container, a generated one. Out: a narrower one, and what was taken
out. May import `profile.generate.arguments`, `profile.meaning`, `profile.compile`.
"""

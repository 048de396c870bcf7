"""The recording file: read, validate, write, merge; and the cache between recordings.

In: a recording. Out: a file (JSON, its schema in `data/schemas`). May import `model` and `output`.
"""

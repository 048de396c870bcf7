"""What was observed, as values, and how it becomes a recording: stages, counts, names.

In: events and counters of a back end. Out: a recording
(`seclatch.model.recording.recording`). May import `model` and `recording.files` (the cache).
"""

"""When is a recorded program ready? What is waited for, and how it is found out.

In: the text of `--ready`, and the trace while it is recorded. Out: whether the condition is met.
"""

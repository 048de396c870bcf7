"""Edits of a profile's text, which keep its layout, order and comments.

Enters: a JSON profile or config.json as text. Leaves: the changed text. `output` edits JSON.
"""

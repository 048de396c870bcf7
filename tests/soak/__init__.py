"""Thousands of latched starts at once, and what is left of them."""

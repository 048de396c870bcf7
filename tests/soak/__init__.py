"""Thousands of concurrent latched starts, and a check for leftovers."""

"""Checked data that code reads: generated syscall tables."""

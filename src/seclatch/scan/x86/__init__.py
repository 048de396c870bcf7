"""Decode x86-64 code: one sweep over a file, and the data flow of its instructions.

May import `scan.elf` and `scan.analysis`.
"""

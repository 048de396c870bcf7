"""Analyse one file's code on any architecture: functions, data flow, call graph.

In: an ELF file and the sweep over its code. Out: constants, references, graphs. Library rules (what
code does not show) are here too. May import `scan.elf`.
"""

"""Summarise one ELF file: enough to link it with others and to follow what is reachable.

In: an ELF file. Out: a summary, cached by content. May import `scan.x86`, `scan.a64`,
`scan.analysis`, `scan.elf` and `scan.image`.
"""

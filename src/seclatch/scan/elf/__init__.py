"""Parse one ELF file: segments, symbols, relocations, unwind tables, Go's pclntab.

In: bytes of a hostile file. Out: plain values. Imports nothing of seclatch.
"""

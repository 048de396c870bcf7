"""Filters (BPF programs): verify, simulate, disassemble, decompile. No root, no Linux needed."""

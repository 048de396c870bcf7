"""Verify, simulate, disassemble and decompile BPF programs. Needs neither root nor Linux."""

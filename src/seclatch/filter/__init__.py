"""Disassemble, decompile, query and compare filters. Needs neither root nor Linux.

In: a filter that `classic_bpf` has verified. Out: text, profiles, verdicts for all arguments of a
call, which `symbolic` finds. May import `model`.
"""

"""Profiles: parse, resolve as engines do, compile as runtimes do, check, compare, write.

In: JSON, YAML or a raw BPF program. Out: profiles, programs, findings. Read → resolve → check;
`parse`, `compile`, `meaning`, `checks`, `generate` and `export` are the parts.
"""

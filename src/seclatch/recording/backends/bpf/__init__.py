"""The eBPF back end: kernel programs, their loader, and the readers of what they count.

In: tracepoints of the running kernel, offsets from its BTF. Out: a trace, and detail events for
`explain`. May import `recording.trace`, `recording.backends`, `recording.files` and `system`.
"""

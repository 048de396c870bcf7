"""Two ways to observe system calls behind one interface (`backend.py`): eBPF and ptrace.

In: what the kernel reports. Out: a trace (`recording.trace`). May import `recording.trace`,
`recording.files` (the cache) and `system`.
"""

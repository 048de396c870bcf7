"""Read every process's filters from the kernel by a BPF task iterator (Linux 5.8).

In: kernel memory. Out: filter programs by thread. May import `system` and `recording.backends.bpf`.
"""

"""The ptrace back end, for kernels and users without eBPF: follows what the command starts.

In: stops of tracees. Out: a trace. May import `recording.trace`, `recording.backends`, `filter`
and `system`; the constants that it shares with the kernel programs are in `bpf/abi.py`.
"""

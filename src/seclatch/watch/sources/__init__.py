"""Sources of denials: kernel programs (native/bpf/watch.bpf.c) and audit lines.

In: events of the kernel. Out: `model.seen_denial`. May import `system` and `bpf`.
"""

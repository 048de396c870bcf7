"""The kernel's interfaces: libseccomp, ptrace, bpf, mount, openat2 by ctypes, and /proc."""

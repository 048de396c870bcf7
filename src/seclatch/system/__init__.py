"""The only ctypes: libseccomp, ptrace, mount, openat2, subreaper."""

"""Objects of native/bpf: read, and written as the Python modules that the package loads."""

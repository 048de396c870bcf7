"""The only ctypes: libseccomp and system calls that Python has no function for."""

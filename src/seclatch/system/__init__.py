"""The kernel's interfaces that Python has no module for: the only place with ctypes."""

"""Container starts whose tracer is killed at each of its system calls in turn."""

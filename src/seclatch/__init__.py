"""seclatch: seccomp profiles that bind the image's program and not the container runtime."""

__version__ = "0.1.0"

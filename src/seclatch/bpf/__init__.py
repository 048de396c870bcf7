"""Loads objects that clang compiled from native/bpf into the kernel (CO-RE)."""

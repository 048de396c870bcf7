"""Modules that `make bpf` writes of the objects of native/bpf; `compiled_object` imports them."""

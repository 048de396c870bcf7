"""Start a container with an OCI runtime and without an engine; find the latch."""

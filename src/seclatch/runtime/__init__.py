"""The OCI runtimes and the latch that stands in front of them."""

"""What `seclatch node` keeps true on one host: the latch installed and proved, the node's label.

In: the host's root directory, an engine, the API server's address. Out: an installed latch that has
started a container, a label that says so, counts at a registry. Imports `engines`, `fleet`,
`registry`, `recording.files` and `host`.
"""

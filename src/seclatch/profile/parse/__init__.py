"""Parse a profile: Docker's, OCI's and Podman's JSON, Kubernetes' YAML, raw BPF.

In: bytes. Out: `seclatch.model.profile.profile`, with the position of every value. Errors name
file, line, column and rule. May import `filter` (for raw BPF).
"""

"""OCI registries: references, manifests and blobs over HTTP, signatures in cosign's format.

In: a reference such as `registry.example/profiles/web@sha256:…`. Out: content whose digest was
verified. Everything that a registry answers is untrusted: sizes are bounded before they are read,
and its text is escaped in messages. Imports `output` alone. The extra `registry` has what it needs
besides (urllib3, cryptography).
"""

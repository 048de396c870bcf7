"""What many hosts share by a registry: profiles, counts of recordings; manifests for Kubernetes.

In: a profile or a recording and a reference. Out: an artifact at the registry, or one from there
that passed every check. Imports `registry` and `profile`.
"""

"""Profiles as OCI artifacts (KEP-6061): the document, and what container runtimes refuse.

In: a resolved profile, or a layer from a registry. Out: bytes that every runtime reads alike, or an
error that names the rule. Imports `model`, `profile.parse`, `profile.export`, `profile.meaning`.
"""

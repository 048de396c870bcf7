"""Checks of this host: each capability is tried, instead of inferred from version numbers."""

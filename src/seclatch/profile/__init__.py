"""Profiles: read, resolve as the engines do, compile as the runtimes do, check, compare, write."""

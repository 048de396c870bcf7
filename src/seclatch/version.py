"""The version of this package; pyproject.toml has the same (tests/unit/test_architecture.py)."""

__version__ = "1.0.0"

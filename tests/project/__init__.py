"""The project's own tools and the rules of its test suite."""

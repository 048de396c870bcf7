"""Facts kept as data: what calls need and open, and the default profiles of engines."""

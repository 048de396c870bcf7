"""Container engines: one file each, how the latch is registered there and how that is undone."""

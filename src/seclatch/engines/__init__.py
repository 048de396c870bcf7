"""Register the latch with container engines, one file each, and undo the registration."""

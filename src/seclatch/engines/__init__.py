"""Register the latch with container engines, one file each, and undo the registration.

In: options of `install`. Out: steps of `installation`, carried out or shown. `services` has
the programs that stay. May import `model`, `output`, `system` and `runtime`.
"""

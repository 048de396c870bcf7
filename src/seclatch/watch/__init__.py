"""Watch what filters deny: see, describe, write.

In: denials of `sources` (kernel programs, audit lines). Out: lines of `model.denial_log`, to
`targets`. Imports `process` for containers and filters.
"""

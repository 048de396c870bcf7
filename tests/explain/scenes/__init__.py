"""Scenes: failing starts of real programs, each with the answer that `seclatch explain` owes.

`dev/*.toml` and `blind/*.toml`, one file a class; docs/explaining.md, "Measured". A change
of `diagnose/` is developed on `dev/` alone: `blind/` is not read, and `python -m bench explain
--corpus blind` prints counts.
"""

"""Targets of a denial log: terminal, file, journal, system log, metrics.

In: lines of `model.denial_log`. May import `model`, `output` and `system`.
"""

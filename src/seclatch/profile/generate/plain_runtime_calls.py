"""What a runtime needs under its own filter, when no latch holds it off: as it was measured."""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec

_FILE = "runtime_needs.json"


class MeasuredCalls(msgspec.Struct, frozen=True):
    """Measured starts of one runtime version (`tools/runtime_needs.py`).

    Run and exec, with and without no_new_privs, as root and as a user. `calls`: in how many of the
    starts each was made.
    """

    version: str
    starts: int
    calls: dict[str, int]


@cache
def read_measured_calls(runtime: str) -> MeasuredCalls:
    """Return the measurement of `runc` or `crun`."""
    data = resources.files("seclatch.data").joinpath(_FILE).read_bytes()
    return msgspec.json.decode(data, type=dict[str, MeasuredCalls])[runtime]

"""Arguments with which a call is harmless for any program that makes it.

The file is `seclatch/data/generate/arguments.json`, its shape in
`seclatch/data/schemas/generate-data-1.json`.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec


class MaskedValue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The comparison (argument & mask) == value."""

    index: int
    mask: int
    value: int


class RecordedIndex(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"pair": "with"}
):
    """An argument whose recorded values are allowed; `covered` ones are harmless and need no rule.

    With `pair`, a value counts together with each recorded value of that argument, of those that
    are `among` the named ones if there are any.
    """

    index: int
    mask: int
    covered: tuple[int, ...]
    pair: int | None
    among: tuple[int, ...] | None


class OrdinaryValues(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Values of one argument that C libraries, shells and common tools pass."""

    index: int
    values: tuple[int, ...]


class HarmlessArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One call: all comparisons of one row of `harmless` hold.

    `ordinary`: the arguments that may be compared with a scan's constants, and the values that
    stay allowed then, for what is executed in the container beside the program.
    """

    call: str
    harmless: tuple[tuple[MaskedValue, ...], ...]
    recorded: tuple[RecordedIndex, ...]
    ordinary: tuple[OrdinaryValues, ...]
    reason: str
    source: str


class _HarmlessRows(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    about: str
    calls: tuple[HarmlessArguments, ...]


@cache
def load_harmless_arguments() -> tuple[HarmlessArguments, ...]:
    """Load the calls that a generated profile allows with harmless and recorded arguments only."""
    path = resources.files("seclatch.data").joinpath("generate", "arguments.json")
    return msgspec.json.decode(path.read_bytes(), type=_HarmlessRows).calls

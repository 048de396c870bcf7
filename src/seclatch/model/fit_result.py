"""How a profile and what a program was recorded to do fit together, as values."""

from __future__ import annotations

import msgspec


class ProfileSize(msgspec.Struct, frozen=True, kw_only=True):
    """How much of an architecture's calls a profile leaves open: `open` of `of`, `partly` of
    these for some arguments only. `source` says where the figures are from."""

    name: str
    open: int
    partly: int
    of: int
    source: str = ""


class ProfileFit(msgspec.Struct, frozen=True, kw_only=True):
    """A profile beside a recording; without a profile only the sizes of others are known.

    `unused` are calls that it allows and the program never made. `refused` are calls that it denies
    with arguments that the program passed; `refused_for_some` those that it denies for some
    arguments, where the recording does not have the arguments that decide. `runtime_refused` and
    `runtime_refused_for_some` are the same for the runtime under its filter, which matters without
    the latch. `generated` is the text of a profile for the program alone; where there is none,
    `why_not` says why. `warnings` is what to know of it, a sentence each.
    """

    arch: str
    profile: ProfileSize | None
    unused: list[str]
    refused: list[str]
    refused_for_some: list[str]
    runtime_refused: list[str]
    runtime_refused_for_some: list[str]
    program: ProfileSize | None
    generated: str
    why_not: str
    warnings: list[str]
    docker: ProfileSize

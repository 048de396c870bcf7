"""How a profile fits a recorded program."""

from __future__ import annotations

import msgspec

from seclatch.model.profile.profile_reasons import ProfileReasons


class ProfileSize(msgspec.Struct, frozen=True, kw_only=True):
    """How many calls of an architecture a profile allows.

    `open` of `of` calls, `partly` of these for some arguments only. `source` is where the figures
    are from.
    """

    name: str
    open: int
    partly: int
    of: int
    source: str = ""


class ProfileFit(msgspec.Struct, frozen=True, kw_only=True):
    """A profile compared with a recording; without a profile only other profiles' sizes are known.

    `unused` are calls that it allows and the program never made. `refused` are calls that it denies
    with arguments that the program passed; `refused_for_some` those that it denies for some
    arguments, where the recording lacks the arguments that decide. `runtime_refused` and
    `runtime_refused_for_some` are the same for the runtime under its filter, which matters without
    the latch. `generated` is the text of a profile for the program alone; where there is none,
    `why_not` says why. `warnings` has one sentence each. `reasons`: what `seclatch generate` makes
    of the recording, and of a scan, by default, call by call.
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
    reasons: ProfileReasons | None = None

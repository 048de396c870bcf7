"""Why each call is in a generated profile, and what was left out."""

from __future__ import annotations

from typing import Literal

import msgspec

ReasonKind = Literal[
    "recorded", "scan", "always", "family", "option", "fallback", "runtime", "portable", "base"
]

ArgumentKind = Literal["recorded", "scan", "ordinary", "harmless", "limit"]


class ArgumentReason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a call is allowed with some arguments.

    `kind` is that of the least certain of the values: `recorded`; `scan` (in the binaries);
    `ordinary` (C libraries, shells or common tools pass it, and it is harmless for any program);
    `harmless` (for any program); `limit` (as the container's or the given profile says).
    """

    condition: str
    kind: ArgumentKind
    reason: str


class CallReason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a call is allowed.

    `kind`: `recorded`; `scan` (found in the binaries); `always` (no process can do without);
    `family` (harmless for a program that makes related calls); `option` (asked for); `fallback` (C
    libraries use it where another one is missing); `runtime` (a plain runtime needs it); `portable`
    (other C libraries use it); `base` (the given profile has it). `count`: how often it was
    recorded, by `programs`. `chain`: the functions by which the scan reaches it. `arguments`: the
    conditions under which it is allowed, one of them at least; none for any arguments.
    `argument_reasons` has the reason of each; `harmless`, which arguments are it for any program,
    where some are allowed for that.
    """

    call: str
    kind: ReasonKind
    reason: str
    count: int = 0
    programs: list[str] = []
    chain: list[str] = []
    arguments: list[str] = []
    argument_reasons: list[ArgumentReason] = []
    harmless: str = ""


class LeftOutArgument(msgspec.Struct, frozen=True, kw_only=True):
    """A value that the program passed or could pass to an allowed call, and that is not allowed.

    `index` is the argument's position, from 0; `remedy` allows it.
    """

    call: str
    index: int
    value: int
    reason: str
    remedy: str


class LeftOutCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that the program made or could make, and that is not allowed; `remedy` allows it."""

    call: str
    reason: str
    remedy: str = ""
    chain: list[str] = []


class EnosysCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is answered with ENOSYS; programs use `fallback` then, where that is known."""

    call: str
    reason: str
    fallback: str = ""


class ProfileReasons(msgspec.Struct, frozen=True, kw_only=True):
    """The reasons of a whole profile, by call."""

    allowed: list[CallReason]
    enosys: list[EnosysCall]
    left_out: list[LeftOutCall]
    left_out_arguments: list[LeftOutArgument] = []

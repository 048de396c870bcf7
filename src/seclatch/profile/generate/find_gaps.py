"""Find what a new image or release needs and a profile denies, with the reason for each call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from seclatch.model.action import ENOSYS, Action, ActionKind
from seclatch.model.arch import Arch
from seclatch.model.recording.call_matrix import list_entries
from seclatch.model.recording.recording import Recording
from seclatch.model.scan import Scan
from seclatch.model.stage import Stage
from seclatch.profile.curated.call_data import load_dangerous, load_fallbacks
from seclatch.profile.generate.arguments.recorded_arguments import (
    ArgumentVerdict,
    judge_arguments,
    recorded_values,
)
from seclatch.profile.meaning.rule_meaning import ProfileMeaning

_NO_SYSTEM_CALL = Action(ActionKind.ERRNO, ENOSYS)


class ProfileGap(msgspec.Struct, frozen=True, kw_only=True):
    """A call that the profile denies.

    `counts` is false where a program does without it: it gets ENOSYS, or it is dangerous and was
    found by a scan alone.
    """

    call: str
    source: str
    reason: str
    counts: bool


def find_recorded_gaps(
    read: ProfileMeaning, recording: Recording, source: str
) -> Iterator[ProfileGap]:
    """Yield the calls of a recording's program that are denied with the recorded arguments."""
    arch = read.arches[0]
    stage = Stage.PROGRAM.value
    issued: dict[str, int] = {}
    for entry in list_entries(recording):
        if entry.stage == stage and entry.arch == arch.title and entry.name:
            issued[entry.name] = issued.get(entry.name, 0) + entry.count
    values = recorded_values(recording, stage, arch)
    for name, count in sorted(issued.items()):
        if judge_arguments(read, name, values.get(name, {})) is not ArgumentVerdict.DENIED:
            continue
        times = f"recorded {count} time{'s' if count > 1 else ''}"
        yield _gap(read, name, source, times, dangerous=False)


def find_scanned_gaps(
    read: ProfileMeaning, scan: Scan, source: str, before: Iterable[Scan] = ()
) -> Iterator[ProfileGap]:
    """Yield the calls of a scan that are denied; `before`: only those that no older scan has."""
    arch = read.arches[0]
    old = {name for each in before for name in each.names}
    names = {
        call.name
        for program in scan.programs
        if Arch.parse(program.arch) is arch
        for call in program.calls
    }
    for name in sorted(names - old - {""}):
        if read.may_execute(name):
            continue
        chain = " → ".join(scan.chain(name)) or "found in the binaries"
        yield _gap(read, name, source, chain, dangerous=name in load_dangerous())


def _gap(
    read: ProfileMeaning, name: str, source: str, reason: str, *, dangerous: bool
) -> ProfileGap:
    if read.outcomes(name) == {_NO_SYSTEM_CALL} and name in load_fallbacks():
        fallback = load_fallbacks()[name].fallback
        reason = f"{reason}; it gets ENOSYS, and programs use {fallback} instead"
        return ProfileGap(call=name, source=source, reason=reason, counts=False)
    if dangerous:
        reason = f"{reason}; dangerous, and left out unless a recording has it"
    return ProfileGap(call=name, source=source, reason=reason, counts=not dangerous)

"""Watch a container for some time and find what a filter would have denied it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import msgspec

from seclatch.errors import SeclatchError
from seclatch.filter.query_filter import FilterQuery
from seclatch.model.arch import Arch
from seclatch.model.call_notation import AskedCall
from seclatch.model.process import LiveProcess
from seclatch.model.recording.process_role import choose_role
from seclatch.model.recording.recorded_roles import keep_role
from seclatch.model.recording.recording import RecordedCalls, Recording
from seclatch.model.stage import Stage
from seclatch.model.syscall import Syscall
from seclatch.profile.generate.arguments.recorded_arguments import (
    ArgumentVerdict,
    judge_arguments,
    recorded_values,
)
from seclatch.profile.meaning.rule_meaning import ProfileMeaning, read_meaning
from seclatch.recording.ready.program_state import TimeHasPassed
from seclatch.recording.ready.ready_condition import ReadyCondition
from seclatch.recording.record_container import ContainerTarget, record_container
from seclatch.recording.recorder import RecordOptions
from seclatch.tighten.further_filter import FurtherFilter
from seclatch.tighten.required_calls import OPEN, falls_back, is_always_allowed, is_ever_allowed


@dataclass(frozen=True, slots=True)
class DeniedCall:
    """A recorded call that the filter denies. `certain`: for the arguments that were recorded."""

    call: str
    arch: str
    process: str
    count: int
    certain: bool


def rehearse(
    target: LiveProcess, name: str, further: FurtherFilter, seconds: float
) -> tuple[list[DeniedCall], int]:
    """Record the container for so long; return what would have been denied, and how many calls.

    Raises SeclatchError.
    """
    recording = _record(target, name, seconds)
    return find_denied(recording, further), sum(each.count for each in recording.calls)


def rehearse_roles(
    target: LiveProcess, name: str, filters: Mapping[str, FurtherFilter], seconds: float
) -> tuple[list[DeniedCall], int]:
    """Record the container; return what the filters of its roles would have denied them.

    Raises SeclatchError.
    """
    recording = _record(target, name, seconds, ready=TimeHasPassed("0s", 0))
    denied = []
    for role in recording.roles:
        wanted = choose_role(role.name, filters)
        if wanted is not None:
            (own,) = keep_role([recording], role.name)
            found = find_denied(_keep_running(own), filters[wanted])
            denied += [replace(each, process=role.name) for each in found]
    return denied, sum(each.count for each in recording.calls)


def _keep_running(recording: Recording) -> Recording:
    return msgspec.structs.replace(
        recording,
        calls=[each for each in recording.calls if each.running],
        arguments=[each for each in recording.arguments if each.running],
    )


def _record(
    target: LiveProcess, name: str, seconds: float, ready: ReadyCondition | None = None
) -> Recording:
    identifier = target.container.id if target.container else ""
    if not identifier:
        raise SeclatchError(
            f"rehearsing on process {target.pid}: it is in no container, and only containers can "
            "be watched",
            remedy="record it with `seclatch record` where it is started, or give --now",
            status=2,
        )
    recording = record_container(
        ContainerTarget(target.pid, name, identifier), RecordOptions(seconds=seconds, ready=ready)
    )
    _require_whole(recording, seconds)
    return recording


def _require_whole(recording: Recording, seconds: float) -> None:
    """Raise SeclatchError for a recording that ended early or lost calls."""
    if recording.duration < seconds - 1:
        raise SeclatchError(
            f"rehearsing: it ended after {recording.duration:.0f} s of {seconds:g}: the container "
            "has ended, or the command was interrupted; nothing was changed"
        )
    if not recording.complete or recording.lost.calls or recording.lost.processes:
        raise SeclatchError(
            "rehearsing: not all calls could be recorded, and what is missing may be denied; "
            "nothing was changed",
            remedy="try again when the machine is less busy",
        )


def find_denied(recording: Recording, further: FurtherFilter) -> list[DeniedCall]:
    """Find the recorded calls of the program, in any of its processes, that the filter denies."""
    query = FilterQuery(further.program)
    native = Arch.native()
    meaning = read_meaning(further.profile, native) if further.profile else None
    values = recorded_values(recording, Stage.PROGRAM.value, native)
    names = {each.id: each.images[-1].exe for each in recording.processes if each.images}
    found = []
    for each in _list_program_calls(recording):
        certain = _judge(each, query, meaning, values)
        if certain is not None:
            process = names.get(each.process or 0, "") or f"process {each.process}"
            name = each.name or f"#{each.number}"
            found.append(DeniedCall(name, each.arch, process, each.count, certain))
    return found


def _list_program_calls(recording: Recording) -> Iterator[RecordedCalls]:
    return (each for each in recording.calls if each.stage == Stage.PROGRAM.value)


def _judge(
    each: RecordedCalls,
    query: FilterQuery,
    meaning: ProfileMeaning | None,
    values: dict[str, dict[int, frozenset[int]]],
) -> bool | None:
    """Return True for denied, False for perhaps denied, None for allowed."""
    arch = Arch.parse(each.arch)
    call = Syscall(arch, each.number, each.name)
    answers = query.ask(AskedCall(call, OPEN, each.name))
    if is_always_allowed(answers) or falls_back(query, call, answers):
        return None
    if not is_ever_allowed(answers):
        return True
    if meaning is None or arch is not Arch.native() or not each.name:
        return False
    verdict = judge_arguments(meaning, each.name, values.get(each.name, {}))
    return None if verdict is ArgumentVerdict.EXECUTED else verdict is ArgumentVerdict.DENIED

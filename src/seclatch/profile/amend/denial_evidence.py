"""A call that a filter denied or logged, as recordings and denial logs have it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from seclatch.model.recording.recording import Recording
from seclatch.model.seccomp_data import MAX_ARGS
from seclatch.model.stage import Stage
from seclatch.profile.generate.arguments.narrow_arguments import INT, MAPPERS, SELECTORS

Args = tuple[int, ...]

_WHOLE = ("socket", "socketpair")
"""A recording has all their arguments but a pointer; which belong together, where each has one
value."""


@dataclass(frozen=True, slots=True)
class DenialEvidence:
    """One call with one value of the argument that rules compare, `count` times.

    `args` are the first of these calls' arguments, None where the source has none; of `partial`
    ones only the compared argument is known, the others are 0. `container` is
    the name or id, `exe` the program, both "" where not known. `logged`: SCMP_ACT_LOG, so the call
    was made. `runtime`: before the exec of the container's program. `session`: by an exec session.
    """

    name: str
    number: int
    arch: str
    args: Args | None
    count: int
    source: str
    exe: str = ""
    container: str = ""
    logged: bool = False
    runtime: bool = False
    session: bool = False
    partial: bool = False

    @property
    def selector(self) -> int | None:
        """Return the argument that rules compare, None for one that is not known."""
        index = find_selector(self.name)
        if index is None or self.args is None:
            return None
        return self.args[index] & INT


def find_selector(name: str) -> int | None:
    """Return the index of the argument by which `generate --args` narrows a call, if any."""
    return SELECTORS.get(name, MAPPERS.get(name))


def merge_denials(denials: Iterable[DenialEvidence]) -> list[DenialEvidence]:
    """Sum up denials that differ in nothing but their count and uncompared arguments."""
    merged: dict[DenialEvidence, DenialEvidence] = {}
    for each in denials:
        key = replace(each, args=None if each.args is None else _selector_alone(each), count=0)
        first = merged.get(key)
        merged[key] = replace(first, count=first.count + each.count) if first else each
    return list(merged.values())


def _selector_alone(denial: DenialEvidence) -> Args:
    return (-1 if denial.selector is None else denial.selector,)


def list_recorded_denials(recording: Recording, source: str) -> list[DenialEvidence]:
    """List the denials of a recording's containers, one for each value of a compared argument.

    A recording of an earlier version has no arguments of denied calls.
    """
    processes = {process.id: process for process in recording.processes}
    joined = {session.id for session in recording.sessions if session.joined}
    container_of = {session.id: session.container for session in recording.sessions}
    names = {container.id: container.name for container in recording.containers}
    values = _DeniedValues(recording)
    found: list[DenialEvidence] = []
    for denial in recording.denials:
        if denial.stage not in (Stage.FILTERED_INIT.value, Stage.PROGRAM.value):
            continue
        process = processes.get(-1 if denial.process is None else denial.process)
        session = process.session if process else None
        images = [image.exe for image in process.images] if process else []
        whole = DenialEvidence(
            name=denial.name,
            number=denial.number,
            arch=denial.arch,
            args=None,
            count=denial.count,
            source=source,
            exe=images[-1] if images else "",
            container=names.get(container_of.get(-1 if session is None else session, -1), ""),
            runtime=denial.stage == Stage.FILTERED_INIT.value,
            session=session in joined,
        )
        key = (denial.process, denial.stage, denial.arch, denial.name)
        found += values.split(whole, key)
    return merge_denials(found)


_Caller = tuple[int | None, str, str, str]
"""Process, stage, architecture, call."""


class _DeniedValues:
    """Arguments of denied calls, where the recording has the compared one of all of them."""

    def __init__(self, recording: Recording) -> None:
        self._values: dict[_Caller, dict[int, dict[int, int]]] = {}
        counts: Counter[_Caller] = Counter()
        for denial in recording.denials:
            counts[denial.process, denial.stage, denial.arch, denial.name] += denial.count
        for row in recording.denied_arguments:
            key = (row.process, row.stage, row.arch, row.name)
            values = self._values.setdefault(key, {}).setdefault(row.index, {})
            values[row.value] = row.count
        for key, kept in list(self._values.items()):
            if sum(kept.get(find_selector(key[-1]) or 0, {}).values()) < counts[key]:
                del self._values[key]

    def split(self, whole: DenialEvidence, key: _Caller) -> list[DenialEvidence]:
        """Return a denial for each value.

        Denials with several errnos share the values: which had which errno is not recorded.
        """
        kept = self._values.get(key)
        index = find_selector(whole.name)
        if kept is None or index is None:
            return [whole]
        if whole.name in _WHOLE and all(len(values) == 1 for values in kept.values()):
            args = tuple(next(iter(kept.get(n, {0: 0}))) for n in range(MAX_ARGS))
            return [replace(whole, args=args)]
        found, left = [], whole.count
        for value, count in list(kept[index].items()):
            taken = min(count, left)
            if taken:
                found.append(_with_selector(whole, index, value, taken))
                left -= taken
                kept[index][value] -= taken
        return found


def _with_selector(whole: DenialEvidence, index: int, value: int, count: int) -> DenialEvidence:
    args = tuple(value if n == index else 0 for n in range(MAX_ARGS))
    return replace(whole, args=args, partial=True, count=count)


def list_recorded_calls(recording: Recording, source: str) -> list[DenialEvidence]:
    """List the program's calls, one for each value of a recorded argument.

    Under a trial profile they were made and logged; a recording does not tell which were logged.
    """
    stage = Stage.PROGRAM.value
    counts: dict[tuple[str, int, str], int] = {}
    for call in recording.calls:
        if call.stage == stage:
            key = (call.name, call.number, call.arch)
            counts[key] = counts.get(key, 0) + call.count
    found = []
    for (name, number, arch), count in counts.items():
        seen = {
            argument.value: argument.count
            for argument in recording.arguments
            if (argument.stage, argument.arch, argument.name) == (stage, arch, name)
            and argument.index == find_selector(name)
        }
        common = DenialEvidence(name, number, arch, None, count, source, logged=True)
        if sum(seen.values()) < count:
            found.append(common)
            continue
        index = find_selector(name) or 0
        for value, times in seen.items():
            found.append(_with_selector(common, index, value, times))
    return found

"""Merge and select what recordings show of roles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from seclatch.model.recording.process_role import fits_role
from seclatch.model.recording.recording import (
    RecordedArgument,
    RecordedCalls,
    RecordedRole,
    Recording,
    RoleArgument,
    RoleCalls,
)
from seclatch.model.stage import Stage

_Call = tuple[str, int, str]
_Value = tuple[str, str, int, int]


def merge_roles(roles: Iterable[RecordedRole]) -> list[RecordedRole]:
    """Sum up roles of the same name."""
    processes: Counter[str] = Counter()
    calls: dict[str, Counter[_Call]] = {}
    arguments: dict[str, Counter[_Value]] = {}
    for role in roles:
        processes[role.name] += role.processes
        made = calls.setdefault(role.name, Counter())
        for call in role.calls:
            made[call.arch, call.number, call.name] += call.count
        values = arguments.setdefault(role.name, Counter())
        for one in role.arguments:
            values[one.arch, one.name, one.index, one.value] += one.count
    return [
        RecordedRole(
            name=name,
            processes=processes[name],
            calls=[
                RoleCalls(arch=arch, number=number, name=call, count=count)
                for (arch, number, call), count in sorted(calls[name].items())
            ],
            arguments=[
                RoleArgument(arch=arch, name=call, index=index, value=value, count=count)
                for (arch, call, index, value), count in sorted(arguments[name].items())
            ],
        )
        for name in sorted(calls)
    ]


def list_role_names(recordings: Iterable[Recording]) -> list[str]:
    """Return the names of all roles, each once."""
    return sorted({role.name for recording in recordings for role in recording.roles})


def keep_role(recordings: Sequence[Recording], wanted: str) -> list[Recording]:
    """Return the recordings with the running calls of one role alone; the rest counts as before.

    `wanted`: `worker` or `PROGRAM:worker`. Raises ValueError where no recording has it, or
    recordings have it of several programs, and none of them creates the others.
    """
    role = _choose_role(recordings, wanted)
    return [_keep_role(recording, role) for recording in recordings]


def _choose_role(recordings: Sequence[Recording], wanted: str) -> str:
    roles = merge_roles(role for recording in recordings for role in recording.roles)
    fitting = [role for role in roles if fits_role(role.name, wanted)]
    if not fitting:
        names = list_role_names(recordings)
        known = ", ".join(names) or "none, as those of one phase and of earlier versions"
        raise ValueError(f"no process of role {wanted!r} in it; roles in it: {known}")
    made = {role.name: {(call.arch, call.number) for call in role.calls} for role in fitting}
    # A role has the calls of those that it creates, such as a helper that it executes.
    above = [name for name, own in made.items() if all(own >= each for each in made.values())]
    if len(above) != 1:
        names = [role.name for role in fitting]
        raise ValueError(f"{wanted!r} is the role of several programs: {', '.join(names)}")
    return above[0]


def _keep_role(recording: Recording, name: str) -> Recording:
    """Set all counts after the ready mark to those of one role."""
    role = next((each for each in recording.roles if each.name == name), None)
    program = Stage.PROGRAM.value
    calls = [msgspec.structs.replace(row, running=0) for row in recording.calls]
    arguments = [msgspec.structs.replace(row, running=0) for row in recording.arguments]
    # Not in any process: a process of no session is kept when exec sessions are left out.
    owner = next((row.process for row in recording.calls if row.stage == program), None)
    for call in role.calls if role else ():
        calls.append(
            RecordedCalls(
                process=owner,
                stage=program,
                arch=call.arch,
                number=call.number,
                name=call.name,
                count=call.count,
                running=call.count,
            )
        )
    for one in role.arguments if role else ():
        arguments.append(
            RecordedArgument(
                stage=program,
                arch=one.arch,
                name=one.name,
                index=one.index,
                value=one.value,
                count=one.count,
                running=one.count,
            )
        )
    return msgspec.structs.replace(recording, calls=calls, arguments=arguments)

"""The kernel as an oracle: load filters in a child process, issue one call, observe the result.

Unprivileged: no_new_privs is enough to load a filter.
"""

from __future__ import annotations

import enum
import platform
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seclatch.model.action import ENOSYS, ActionKind
from seclatch.model.filter import Filter
from seclatch.model.verdict import Verdict

SOURCE = Path(__file__).parents[1] / "programs" / "probe.c"
U64 = 0xFFFFFFFFFFFFFFFF


class Outcome(enum.IntEnum):
    RETURNED, TRAPPED, THREAD_KILLED, PROCESS_KILLED, REFUSED, SIGNALLED = range(6)


@dataclass(frozen=True)
class Answer:
    """`data`: si_errno of a trap, errno of a refusal, number of a signal.

    `pointer`: seccomp_data's instruction pointer.
    """

    outcome: Outcome
    data: int
    result: int
    pointer: int


@dataclass(frozen=True)
class Case:
    filters: Sequence[Filter]
    number: int
    args: Sequence[int] = ()
    compat: bool = False


def build(folder: Path) -> Path:
    """Compile probe.c."""
    program = folder / "probe"
    # compat() pushes onto the stack by hand: no data may lie below the stack pointer.
    flags = ["-mno-red-zone"] if platform.machine() == "x86_64" else []
    command = ["gcc", "-O1", "-Wall", "-Werror", *flags, "-o", program, SOURCE]
    subprocess.run(command, check=True)
    return program


def ask(program: Path, cases: Sequence[Case]) -> list[Answer]:
    """Run the cases one after the other on the live kernel."""
    done = subprocess.run(
        [program], input=b"".join(map(_request, cases)), stdout=subprocess.PIPE, check=True
    )
    fields = struct.iter_unpack("=IIqQ", done.stdout)
    answers = [Answer(Outcome(kind), data, result, ip) for kind, data, result, ip in fields]
    assert len(answers) == len(cases)
    return answers


def _request(case: Case) -> bytes:
    args = [arg & U64 for arg in (*case.args, 0, 0, 0, 0, 0, 0)[:6]]
    head = struct.pack("=4I6Q", case.number & 0xFFFFFFFF, case.compat, len(case.filters), 0, *args)
    parts = [head]
    for one in case.filters:
        assert one.byteorder == sys.byteorder
        parts += (struct.pack("=I", len(one)), one.to_bytes())
    return b"".join(parts)


def agrees(verdict: Verdict, answer: Answer, bare: Answer) -> bool:
    """Return whether the kernel did what the verdict predicts; `bare` is the call without a filter.

    With neither a tracer nor a listener, TRACE and NOTIFY both answer ENOSYS (seccomp(2)).
    """
    action = verdict.action
    match action.kind:
        case ActionKind.KILL_PROCESS:
            return answer.outcome is Outcome.PROCESS_KILLED
        case ActionKind.KILL_THREAD:
            return answer.outcome is Outcome.THREAD_KILLED
        case ActionKind.TRAP:
            return answer.outcome is Outcome.TRAPPED and answer.data == action.data
        case ActionKind.ERRNO:
            return (answer.outcome, answer.result) == (Outcome.RETURNED, verdict.returns)
        case ActionKind.TRACE | ActionKind.NOTIFY:
            return (answer.outcome, answer.result) == (Outcome.RETURNED, -ENOSYS)
        case ActionKind.ALLOW | ActionKind.LOG:
            return (answer.outcome, answer.data, answer.result) == (
                bare.outcome,
                bare.data,
                bare.result,
            )

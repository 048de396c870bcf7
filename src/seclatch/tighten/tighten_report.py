"""Describe what was bound, for people and machines."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from seclatch.output.printable_text import make_printable
from seclatch.tighten.rehearse import DeniedCall
from seclatch.tighten.run_tighten import ProcessOutcome, TightenOutcome

SCHEMA = "seclatch.tighten/1"
"""The version of the document; its schema is data/schemas/tighten-1.json."""

_HEAD = ("PID", "THREADS", "PAUSE", "NO_NEW_PRIVS", "RESULT", "PROGRAM")

_REASONS = {
    "changing": "it keeps starting threads or programs faster than they can be bound",
    "not-seized": "the kernel does not let it be traced",
    "not-stopped": "it did not come to a stop",
    "not-entered": "it has no instruction that enters the kernel where one is expected (no vDSO?), "
    "or is a 32-bit program on arm64, which is left as it is",
    "no-new-privs": "it would need no_new_privs, which --no-new-privs never forbids",
    "refused": "the kernel refused the filter",
    "interfered": "another process or thread wrote to the memory used; the filter was not loaded",
    "differs": "the filter was not there when it was read back",
    "tracer-lost": "seclatch-tighten was killed at its work",
    "killed": "seclatch-tighten was killed while it had changed registers of the process, and the "
    "kernel ended the process with it (ptrace(2), PTRACE_O_EXITKILL)",
    "tracer-busy": "it is in a call that takes long, and a tracer still waits to finish",
    "in-call": "it is in a system call that a stop would spoil (a blocking write, a close)",
    "unstoppable": "it does not stop (state D: it waits for a device?)",
    "frozen": "it is frozen with its control group (docker unpause)",
    "traced": "it is traced by another process (strace, gdb?)",
    "denied": "one of its filters has ended it for a call that loads the filter: not the one "
    "of its configuration",
    "other-filters": "it has other filters than its container's configuration, which cannot "
    "be read without root",
    "unrestored": "its registers could not be put back, and the kernel ended it (ptrace(2), "
    "PTRACE_O_EXITKILL)",
    "missed": "it was created while the others were bound, and has no filter",
    "": "it is not bound",
}
_TRANSIENT = (
    "changing",
    "not-stopped",
    "in-call",
    "unstoppable",
    "tracer-lost",
    "tracer-busy",
    "missed",
)


@dataclass(slots=True)
class TightenReport:
    """The result of one command. `names` are the names of programs, by process; so are `roles`."""

    target: str
    profile: str
    container: str
    outcome: TightenOutcome
    names: Mapping[int, str]
    verified: str = ""
    rehearsed: float = 0.0
    denied: Sequence[DeniedCall] = ()
    setuid: Sequence[str] = ()
    warnings: list[str] = field(default_factory=list)
    roles: Mapping[int, str] = field(default_factory=dict)


def list_shown(outcome: TightenOutcome) -> list[ProcessOutcome]:
    """Return the processes without those that ended before they could be bound."""
    return [each for each in outcome.processes if each.state != "ended"]


def format_table(report: TightenReport) -> list[str]:
    """Return a line for each process, below a heading."""
    names = dict(report.names)
    for pid in report.roles.keys() & names.keys():
        names[pid] += f" ({report.roles[pid].rpartition(':')[2]})"
    rows = [_HEAD, *(_format_row(each, names) for each in list_shown(report.outcome))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]


def _format_row(each: ProcessOutcome, names: Mapping[int, str]) -> tuple[str, ...]:
    loaded = each.state in ("bound", "ready")
    privileges = "-" if not loaded else "set now" if each.no_new_privs else "as before"
    pause = f"{each.pause / 1000:.1f} ms" if each.state == "bound" else "-"
    name = make_printable(names.get(each.pid, "?"))
    return str(each.pid), str(each.threads), pause, privileges, _name_result(each), name


def _name_result(each: ProcessOutcome) -> str:
    if each.state == "present":
        return "was bound already"
    if each.state == "bound" and each.loads > 1:
        return f"bound, {each.loads} threads one by one"
    if each.state == "ready":
        return "can be bound"
    return "bound" if each.state == "bound" else f"NOT BOUND ({each.reason})"


def explain_failures(outcome: TightenOutcome, names: Mapping[int, str]) -> Iterator[str]:
    """Yield a sentence for each process that is not bound."""
    for each in outcome.processes:
        if each.state == "unbound":
            why = _REASONS.get(each.reason, each.reason)
            error = f": {os.strerror(each.errno)}" if each.errno else ""
            name = make_printable(names.get(each.pid, "?"))
            yield f"process {each.pid} ({name}): {why}{error}"


def suggest_remedy(outcome: TightenOutcome) -> str:
    """Return what to do about processes that are not bound."""
    reasons = {each.reason for each in outcome.processes if each.state == "unbound"}
    if reasons & set(_TRANSIENT) or not reasons:
        return "run the command again, with a longer --wait: what is bound already is left alone"
    if reasons & {"denied", "other-filters"}:
        return "run it as root on the host, which reads and suspends filters"
    if "no-new-privs" in reasons:
        return "give --no-new-privs auto, or keep the container under its present profile"
    return "end what holds the process (tracer, frozen control group), and run the command again"


def make_tighten_document(report: TightenReport) -> dict[str, object]:
    """Return the document for --json."""
    return {
        "schema": SCHEMA,
        "target": report.target,
        "container": report.container,
        "profile": report.profile,
        "complete": report.outcome.complete,
        "touched": report.outcome.touched,
        "verified": report.verified,
        "rehearsed": report.rehearsed,
        "denied": [asdict(each) for each in report.denied],
        "setuid": list(report.setuid),
        "warnings": report.warnings,
        "processes": [
            {
                **asdict(each),
                "name": report.names.get(each.pid, ""),
                "role": report.roles.get(each.pid, ""),
            }
            for each in list_shown(report.outcome)
        ],
    }

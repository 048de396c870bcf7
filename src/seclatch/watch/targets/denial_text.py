"""A denial as one line for people. Everything in it is escaped."""

from __future__ import annotations

from seclatch.model.denial_log import AnsweringFilter, LoggedDenial, WatchEvent
from seclatch.output.printable_text import make_printable

_SHORT_ID = 12
_MAX_NAME = 128
_MAX_CALL = 400
_ANSWERS = {
    "kill-process": "killed",
    "kill-thread": "thread killed",
    "kill": "killed",
    "trap": "SIGSYS (trap)",
    "log": "allowed, logged",
    "unknown": "denied",
}


def describe_denial(denial: LoggedDenial) -> str:
    """Return where, what and why, in printable characters and on one line."""
    program = denial.exe.rpartition("/")[2] or denial.comm
    parts = [
        _describe_place(denial),
        f"{_show(program, _MAX_NAME)}[{denial.pid}]",
        f"{_describe_call(denial)}: {_describe_answer(denial)}",
    ]
    if denial.stage != "program":
        parts.append(f"({denial.stage})")
    if why := _describe_filter(denial.filter):
        parts.append(f"by {why}")
    return "  ".join(parts)


def describe_event(event: WatchEvent) -> str:
    """Return an event of the watcher as a line."""
    return _show(f"{event.event}: {event.text}", _MAX_CALL)


def _describe_place(denial: LoggedDenial) -> str:
    one = denial.container
    if one is None:
        return _show(denial.unit, _MAX_NAME) or "host"
    name = _show(one.name or one.id[:_SHORT_ID], _MAX_NAME)
    where = f"{one.namespace}/{one.pod}" if one.namespace else one.pod
    pod = f" in pod {_show(where, _MAX_NAME)}" if one.pod else ""
    return f"{name} ({_show(one.image, _MAX_NAME)}){pod}" if one.image else name + pod


def _describe_call(denial: LoggedDenial) -> str:
    name = denial.syscall or f"#{denial.number}"
    arch = "" if denial.arch in ("x86_64", "aarch64") else f" ({denial.arch})"
    words = ", ".join(denial.arguments) if denial.args is not None else "..."
    return _show(f"{name}({words}){arch}", _MAX_CALL)


def _describe_answer(denial: LoggedDenial) -> str:
    if denial.answer == "errno":
        return denial.errno or "denied"
    if denial.answer in ("trace", "notify"):
        by = "no tracer" if denial.answer == "trace" else "by its supervisor"
        return f"{denial.errno} ({by})" if denial.errno != "0" else by
    return _ANSWERS[denial.answer]


def _describe_filter(found: AnsweringFilter) -> str:
    if not found.fingerprint:
        return ""
    profile = f" {_show(found.profile, _MAX_NAME)}" if found.profile else ""
    reason = f", {_show(found.text, _MAX_NAME)}" if found.text else ""
    place = f", {found.layer} of {found.layers}" if found.layers > 1 else ""
    loaded = f", put on by seclatch tighten {_show(found.tightened, _MAX_NAME)}"
    return f"filter {found.fingerprint}{profile}{reason}{place}{loaded if found.tightened else ''}"


def _show(text: str, most: int) -> str:
    printable = make_printable(text[: most + 1])
    return printable if len(text) <= most else f"{make_printable(text[:most])}..."

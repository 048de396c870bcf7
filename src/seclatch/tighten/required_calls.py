"""Find calls that a running process cannot do without and a profile denies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from errno import ENOSYS

from seclatch.filter.query_filter import FilterQuery, QueryAnswer
from seclatch.model.arch import Arch
from seclatch.model.call_notation import AskedCall
from seclatch.model.seccomp_data import MAX_ARGS
from seclatch.model.syscall import Syscall, load_syscalls
from seclatch.tighten.process_facts import ProcessFacts

# Without these a process that runs already can handle no signal, end, wake its threads or give back
# memory. A tuple: one of them will do.
_EVERY_PROCESS = (("rt_sigreturn", "sigreturn"), "exit_group", "futex", "munmap", "brk")
_LISTENER = ("accept", "accept4", "socketcall")
# A program tries io_uring once, when it starts, and does not count on its end: libuv aborts (node).
_RING = ("io_uring_enter",)
_RESTART = "restart_syscall"
# glibc makes the second where the first fails with ENOSYS, each time anew. Docker's default profile
# and those that `seclatch generate` makes below it count on that.
_INSTEAD = {"clone3": "clone"}
_ALLOWED = ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG")

OPEN: tuple[int | None, ...] = (None,) * MAX_ARGS


def is_ever_allowed(answers: Iterable[QueryAnswer]) -> bool:
    """Return whether a filter allows the call with some arguments."""
    return any(answer.action.startswith(_ALLOWED) for answer in answers)


def is_always_allowed(answers: Iterable[QueryAnswer]) -> bool:
    """Return whether a filter allows the call with any arguments."""
    return all(answer.action.startswith(_ALLOWED) for answer in answers)


def falls_back(query: FilterQuery, call: Syscall, answers: Iterable[QueryAnswer]) -> bool:
    """Return whether ENOSYS makes callers use another call, which the filter allows."""
    instead = _INSTEAD.get(call.name)
    return (
        instead is not None
        and {each.action for each in answers} == {f"SCMP_ACT_ERRNO({ENOSYS})"}
        and _allows_one(query, (instead,), call.arch)
    )


def find_denied_needs(query: FilterQuery, processes: Iterable[ProcessFacts]) -> list[str]:
    """Return one sentence for each need of the processes that the profile does not meet."""
    found: dict[str, list[ProcessFacts]] = {}
    for process in processes:
        for sentence in _find_of_process(query, process):
            found.setdefault(sentence, []).append(process)
    return [f"{sentence} ({_name(owners)})" for sentence, owners in found.items()]


def _find_of_process(query: FilterQuery, process: ProcessFacts) -> Iterator[str]:
    for need in _EVERY_PROCESS:
        names = (need,) if isinstance(need, str) else need
        if not _allows_one(query, names, process.arch):
            yield f"it denies {names[0]}, which every process needs"
    if process.listens and not _allows_one(query, _LISTENER, process.arch):
        yield "it denies accept and accept4, and a listening socket would get no connection"
    if process.has_ring and not _allows_one(query, _RING, process.arch):
        yield "it denies io_uring_enter, and an open ring of io_uring would stand still"
    for call in dict.fromkeys(process.calls):
        answers = _ask(query, call)
        needed = call.name != _RESTART and not falls_back(query, call, answers)
        if needed and not is_ever_allowed(answers):
            yield f"it denies {call}, which a thread is in right now"


def _allows_one(query: FilterQuery, names: Iterable[str], arch: Arch) -> bool:
    numbers = load_syscalls(arch).numbers
    known = [Syscall(arch, numbers[name], name) for name in names if name in numbers]
    return not known or any(is_ever_allowed(_ask(query, call)) for call in known)


def _ask(query: FilterQuery, call: Syscall) -> list[QueryAnswer]:
    return query.ask(AskedCall(call, OPEN, str(call)))


def _name(owners: list[ProcessFacts]) -> str:
    listed = ", ".join(f"{owner.pid} {owner.comm}" for owner in owners[:4])
    more = f" and {len(owners) - 4} more" if len(owners) > 4 else ""
    return listed + more

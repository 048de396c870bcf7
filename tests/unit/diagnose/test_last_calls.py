"""The denial that ended a process, by its last calls."""

from __future__ import annotations

import itertools

import pytest

from seclatch.diagnose.denials.last_calls import find_fatal
from seclatch.model.arch import Arch
from seclatch.model.syscall import Syscall, load_syscalls
from seclatch.recording.backends.bpf.detail_events import DetailFlag, Last

TABLE = load_syscalls(Arch.X86_64)


def name(call: Last) -> Syscall:
    return TABLE.at(call.number)


def life(text: str) -> list[Last]:
    """Parse calls: `close!` was denied, `open-` failed with ENOENT, `write` went well."""
    times = itertools.count(1)
    found = []
    for word in text.split():
        number = TABLE.numbers[word.strip("!-†")]
        mark = DetailFlag.REFUSED if word[-1] in "!†" else DetailFlag(0)
        mark |= DetailFlag.KILLED if word.endswith("†") else DetailFlag(0)
        result = {"!": -1, "-": -2}.get(word[-1], 0)
        found.append(Last(next(times), number, mark, result))
    return found


@pytest.mark.parametrize(
    ("calls", "fatal", "position"),
    [
        # runc: it failed at fstatfs, the rest is cleanup
        ("openat fcntl! fstatfs! close! write write close!", "fstatfs", 3),
        # "close log pipe fd 4": the last one before the message
        ("prctl close! close! write", "close", 3),
        # crun goes on after a close, not after prctl
        ("seccomp close! prctl! write", "prctl", 3),
        ("execve! write", "execve", 1),
        ("mkdir! openat read", "", 0),
        ("epoll_ctl! openat execve-", "", 0),
        ("socket† ", "socket", 1),
        ("futex! write write tgkill", "futex", 1),
        ("", "", 0),
    ],
)
def test_fatal_denial(calls: str, fatal: str, position: int) -> None:
    found = find_fatal(life(calls), name)
    assert (str(name(found)), found.time) == (fatal, position) if found else not fatal


def test_loosely_a_program_may_format_a_message_first() -> None:
    calls = life("mkdir! openat- openat- mmap fstat write close")
    assert find_fatal(calls, name) is None
    found = find_fatal(calls, name, loosely=True)
    assert found is not None
    assert name(found).name == "mkdir"
    assert find_fatal(life("mkdir! openat read write"), name, loosely=True) is None

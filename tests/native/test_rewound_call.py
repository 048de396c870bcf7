"""How seclatch-tighten reads a stop on arm64; the code is the same on every machine.

tests/arm64 runs it on arm64's own kernel.
"""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest

from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from tests.native.conftest import NATIVE

NUMBERS = load_syscalls(Arch.native()).numbers
SP, BEHIND = 0x7FF0, 0x1004
ARGS = (11, 12, 13, 14, 15, 16)
# <linux/errno.h>
SYS, NOINTR, NOHAND, RESTART_BLOCK = 512, 513, 514, 516
FUTEX = {"wait": 0, "lock_pi": 6, "wait_requeue_pi": 11, "lock_pi2": 13}


@pytest.fixture(scope="module")
def rewound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("native") / "rewound"
    sources = [Path(__file__).with_name("rewound.c"), NATIVE / "tighten/calls.c"]
    flags = ["-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", f"-I{NATIVE}", f"-I{NATIVE}/tighten"]
    subprocess.run(["gcc", *flags, "-o", program, *sources], check=True)
    return program


def find(
    program: Path,
    number: int,
    *,
    x: tuple[int, ...] = ARGS,
    pc: int = BEHIND - 4,
    at_entry: bool = True,
    shown: int | None = None,
    shown_args: tuple[int, ...] = ARGS,
    sp: int = SP,
) -> tuple[int, int, int, bool]:
    """Return number, first argument, restart and rewound for a stop."""
    before = (number if shown is None else shown, *shown_args, SP, BEHIND)
    words = (*x, number, sp, pc, int(at_entry), *before)
    done = subprocess.run([program, *map(str, words)], check=True, capture_output=True, text=True)
    called, first, restart, back = map(int, done.stdout.split())
    return called, first, restart, bool(back)


@pytest.mark.parametrize(
    ("names", "restart"),
    [
        ("read wait4 fcntl flock accept4", SYS),
        ("ppoll pselect6 rt_sigsuspend msgrcv msgsnd", NOHAND),
        ("nanosleep restart_syscall", RESTART_BLOCK),
    ],
)
def test_a_call_that_the_kernel_makes_again(rewound: Path, names: str, restart: int) -> None:
    for name in names.split():
        assert find(rewound, NUMBERS[name]) == (NUMBERS[name], ARGS[0], restart, True), name


@pytest.mark.parametrize(
    ("operation", "restart"),
    [
        ("wait", RESTART_BLOCK),
        ("lock_pi", NOINTR),
        ("wait_requeue_pi", NOINTR),
        ("lock_pi2", NOINTR),
    ],
)
def test_a_futex(rewound: Path, operation: str, restart: int) -> None:
    """By its operation, private (128) or not."""
    number = NUMBERS["futex"]
    for private in (0, 128):
        x = (ARGS[0], FUTEX[operation] | private, *ARGS[2:])
        found = find(rewound, number, x=x, shown_args=x)
        assert found == (number, ARGS[0], restart, True)


@pytest.mark.parametrize("until", [0, 1])
def test_a_sleep_until_a_time_is_no_continued_one(rewound: Path, until: int) -> None:
    number = NUMBERS["clock_nanosleep"]
    x = (ARGS[0], until, *ARGS[2:])
    found = find(rewound, number, x=x, shown_args=x)
    assert found == (number, ARGS[0], NOHAND if until else RESTART_BLOCK, True)


def test_a_call_that_failed_with_eintr(rewound: Path) -> None:
    """Its first argument is what was shown: x0 has the result."""
    number = NUMBERS["epoll_pwait"]
    x = (-errno.EINTR, *ARGS[1:])
    found = find(rewound, number, x=x, pc=BEHIND, at_entry=False)
    assert found == (number, ARGS[0], errno.EINTR, False)


@pytest.mark.parametrize("place", range(1, 6))
def test_another_call_at_the_same_place_is_not_made_again(rewound: Path, place: int) -> None:
    """A C library makes many calls by one instruction: arguments, number and stack decide."""
    number = NUMBERS["epoll_pwait"]
    x = [-errno.EINTR, *ARGS[1:]]
    x[place] += 1
    none = (-1, -errno.EINTR, 0, False)
    assert find(rewound, number, x=tuple(x), pc=BEHIND, at_entry=False) == none
    same = (-errno.EINTR, *ARGS[1:])
    shown = NUMBERS["read"]
    assert find(rewound, number, x=same, pc=BEHIND, at_entry=False, shown=shown) == none
    assert find(rewound, number, x=same, pc=BEHIND, at_entry=False, sp=SP - 16) == none


@pytest.mark.parametrize("shown", [-1, -2, NUMBERS["write"]])
def test_a_call_that_was_not_shown(rewound: Path, shown: int) -> None:
    """It is made as if new; only a sleep is looked at again, at its entry."""
    assert find(rewound, NUMBERS["read"], shown=shown) == (-1, ARGS[0], 0, False)
    number = NUMBERS["nanosleep"]
    assert find(rewound, number, shown=shown) == (number, ARGS[0], RESTART_BLOCK, True)


def test_in_no_call(rewound: Path) -> None:
    found = find(rewound, NUMBERS["nanosleep"], at_entry=False)
    assert found == (-1, ARGS[0], 0, False)

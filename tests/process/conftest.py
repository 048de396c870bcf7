"""Live processes with filters."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from tests.conftest import Compiler
from tests.tighten.binding import SLOWNESS

RUN = "from seclatch.cli.main import main; main()"


def seclatch(
    *args: str | Path, before: Sequence[str] = (), timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does; `before` is a prefix."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "NO_COLOR": "1"}
    words = [*before, sys.executable, "-c", RUN, *map(str, args)]
    return subprocess.run(
        words, capture_output=True, text=True, env=env, check=False, timeout=timeout * SLOWNESS
    )


def expected_layer(number: int) -> bytes:
    """Return the number-th program of filter_stack.c."""
    getpgid = load_syscalls(Arch.native()).numbers["getpgid"]
    code = [(0x20, 0, 0, 0), (0x15, 0, 1, getpgid), (6, 0, 0, 0x50000 | number)]
    return b"".join(struct.pack("=HBBI", *each) for each in [*code, (6, 0, 0, 0x7FFF0000)])


@contextmanager
def running(*words: str | Path) -> Iterator[int]:
    """Run a program until it prints "ready"; yield its pid."""
    with subprocess.Popen(
        list(map(str, words)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == "ready\n"
            yield process.pid
        finally:
            process.kill()


@pytest.fixture
def stacked(compiler: Compiler) -> Callable[..., object]:
    """Provide stacked(HOW, N): start filter_stack.c."""
    program = compiler("filter_stack")
    return lambda how, count: running(program, how, str(count))

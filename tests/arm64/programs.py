"""The C targets, cross-compiled: the guest has no compiler."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "programs"
NATIVE = Path(__file__).parents[2] / "native"

# Programs of the tests that run in the guest; some of the others are for x86 alone.
TARGETS = (
    "attach",
    "bound",
    "denials",
    "errnos",
    "exit0",
    "exit42",
    "facts",
    "first_denied",
    "get_filter",
    "in_flight",
    "intruder",
    "kill_tracer",
    "kill_worker",
    "late_filter",
    "nonleader_exec",
    "notify_ready",
    "opens_gate",
    "own_filter",
    "pausing",
    "ring",
    "under_filter",
    "vforks",
    "whoami",
)

# The latch's build flags: a libc is compiled for every other set of flags.
COMPILER = [sys.executable, "-m", "ziglang", "cc", "-O2", "-static", "-s"]


def sources() -> str:
    """List the sources of all programs."""
    paths = [*sorted(SOURCES.glob("*.[ch]")), *sorted(NATIVE.glob("*.[ch]"))]
    texts = [path.read_text() for path in paths]
    return "".join([Path(__file__).read_text(), *texts])


def build(folder: Path) -> None:
    """Compile them for arm64, and one for 32-bit ARM, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)

    def one(name: str) -> None:
        compile_one(SOURCES / f"{name}.c", folder / name, "aarch64-linux-musl", ["-pthread"])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, TARGETS))
    # the latch with symbols, which are stripped from the wheel's (tests/programs/kill_tracer.c)
    flags = ["-target", "aarch64-linux-musl", "-D_GNU_SOURCE", "-o", str(folder / "latch")]
    words = [word for word in COMPILER if word != "-s"]
    subprocess.run([*words, *flags, *map(str, sorted(NATIVE.glob("*.c")))], check=True)
    # without a libc, so that none has to be compiled for one program
    compile_one(SOURCES / "first_denied.c", folder / "first_denied32", "arm-linux-musleabihf")
    bare = ["-nostdlib", "-ffreestanding", "-fno-sanitize=all"]
    compile_one(SOURCES / "sleep_32bit.c", folder / "sleep_32bit", "arm-linux-musleabihf", bare)


def compile_one(source: Path, program: Path, target: str, flags: Iterable[str] = ()) -> None:
    """Compile one file statically, without a libc if it has no main."""
    bare = "_start:" in source.read_text()
    words = ["-nostdlib"] if bare else list(flags)
    command = [*COMPILER, "-target", target, *words, "-o", str(program), str(source)]
    subprocess.run(command, check=True)

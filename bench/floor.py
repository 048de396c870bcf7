"""Measure what attached programs cost: empty ones, the least possible, and the recorder's.

Without the recorder's start and end: its programs are attached here, and the work registers itself.
Each variant runs in turn with the others, beside a bare run. A pair counts only if no other
recorder was attached meanwhile, which slows the bare side too; CPU time is compared, so that a busy
machine matters little.
"""

from __future__ import annotations

import os
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from bench.record import GETPPID, is_recorder, works
from seclatch.bpf.compiled_object import CompiledObject, import_object
from seclatch.bpf.kernel_types import find_kernel_types
from seclatch.bpf.object_loader import Loader
from seclatch.recording.backends.bpf.loader import Probe, make_argument_specs
from seclatch.system import bpf

LIFE = ("follow_fork", "follow_exec", "follow_exit")
# r0 = 0; exit
EMPTY = struct.pack("<BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0)
WAIT_SECONDS = 600

Follow = Callable[[], object]
Variant = Callable[[], AbstractContextManager[Follow]]


@contextmanager
def nothing() -> Iterator[Follow]:
    yield lambda: None


def empty(*names: str) -> Variant:
    """Return a variant with a program at each of these tracepoints that does nothing."""

    @contextmanager
    def attach() -> Iterator[Follow]:
        targets = find_kernel_types(tuple(f"trace:{name}" for name in names), "measuring")
        with ExitStack() as stack:
            for target in targets.values():
                program = bpf.load_program(EMPTY, "empty", bpf.ProgramKind.TRACEPOINT, target or 0)
                stack.callback(os.close, program)
                stack.callback(os.close, bpf.attach(program))
            yield lambda: None

    return attach


def recorder(found: CompiledObject, *names: str) -> Variant:
    """Return a variant with these programs of a recorder's object; the work registers itself."""
    types = find_kernel_types(found.questions(), "measuring")

    @contextmanager
    def attach() -> Iterator[Follow]:
        loader = Loader(found, types, {"argument_specs": make_argument_specs()})
        probe = Probe(loader)
        try:
            probe.prepare_registration()
            for name in (*LIFE, *names):
                probe.attach(name)
            yield probe.register_self
        finally:
            probe.close()

    return attach


def variants(before: CompiledObject | None) -> dict[str, Variant]:
    """Return all variants; `before`: an older object, to be compared with in the same rounds."""
    present = import_object(f"recorder_{os.uname().machine}")
    found: dict[str, Variant] = {
        "one empty program": empty("sys_enter"),
        "two empty programs": empty("sys_enter", "sys_exit"),
        "entries alone": recorder(present, "count_call"),
        "entries and exits": recorder(present, "find_denial_at_exit", "count_entry"),
    }
    if before:
        found["entries and exits, before"] = recorder(before, "find_denial_at_exit", "count_call")
    return found


def recorders() -> int:
    """Count the recorders' programs at sys_enter in the kernel."""
    return sum(map(is_recorder, bpf.programs()))


def run(words: Sequence[str], follow: Follow) -> float:
    """Return the CPU seconds (user and system) of the work and what it starts."""
    pid = os.fork()
    if pid == 0:
        try:
            null = os.open("/dev/null", os.O_RDWR)
            for fd in (0, 1):
                os.dup2(null, fd)
            follow()
            os.execv(words[0], list(words))
        finally:
            os._exit(127)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise RuntimeError(f"{words[0]}: status {status}")
    return usage.ru_utime + usage.ru_stime


def wait_for_quiet() -> None:
    """Wait until no recorder is attached."""
    end = time.monotonic() + WAIT_SECONDS
    while recorders():
        if time.monotonic() > end:
            sys.exit("bench floor: another recorder is attached; try again when it has ended")
        time.sleep(0.05)


def run_pair(words: Sequence[str], variant: Variant, *, bare_first: bool) -> float | None:
    """Return the variant's time in bare ones; None if another recorder was attached meanwhile."""
    times = {}
    for attach in (nothing, variant) if bare_first else (variant, nothing):
        wait_for_quiet()
        with attach() as follow:
            own = recorders()
            times[attach] = run(words, follow)
            if own > 1 or recorders() != own:
                return None
    return times[variant] / times[nothing]


def measure(work: str, words: Sequence[str], found: dict[str, Variant], pairs: int) -> None:
    """Print a row for each variant; they take turns."""
    ratios: dict[str, list[float]] = {name: [] for name in found}
    for n in range(3 * pairs):
        for name, variant in found.items():
            if len(ratios[name]) < pairs:
                ratio = run_pair(words, variant, bare_first=n % 2 > 0)
                if ratio and n:  # the first time warms up
                    ratios[name].append(ratio)
    print(f"{work}: CPU time to bare")
    for name, rows in ratios.items():
        rows.sort()
        low, high = rows[len(rows) // 4], rows[-1 - len(rows) // 4]
        middle = statistics.median(rows)
        print(
            f"  {name:<28} {middle:5.2f}  ({low:.2f} - {high:.2f}, {len(rows)} pairs)", flush=True
        )


def report(runs: int) -> None:
    """Print the table; SECLATCH_BEFORE names a further module of `seclatch.bpf.objects`."""
    older = os.environ.get("SECLATCH_BEFORE")
    found = variants(import_object(older) if older else None)
    with tempfile.TemporaryDirectory(prefix="seclatch-bench-") as folder:
        for work, words in works(Path(folder)).items():
            if "redis" not in work:
                measure(work, words, found, runs if work == GETPPID else max(5, runs // 4))

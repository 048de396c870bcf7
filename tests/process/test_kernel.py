"""Filters read from the kernel: all layers in order, every thread, without side effects."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from seclatch.process.kernel.kernel_filters import LAYERS, Held, read_kernel
from seclatch.system.read_filters import read_filters
from tests.conftest import Compiler
from tests.process.conftest import expected_layer, running

pytestmark = pytest.mark.root

Stacked = Callable[[str, int], AbstractContextManager[int]]


def threads_of(pid: int) -> list[Held | None]:
    """Return the kernel's data on each thread, the first thread first."""
    held = read_kernel()
    tids = sorted(int(path.name) for path in Path(f"/proc/{pid}/task").iterdir())
    return [held.get(tid) for tid in tids]


def codes(held: Held | None) -> list[bytes | None]:
    assert held is not None
    return [layer.code for layer in held.layers]


def test_all_layers_the_newest_first(stacked: Stacked) -> None:
    with stacked("main", 5) as pid:
        first, second = threads_of(pid)
    assert first and second
    assert (first.tid, first.pid, first.mode, first.count) == (pid, pid, 2, 5)
    assert codes(first) == [expected_layer(n) for n in (5, 4, 3, 2, 1)]
    # The thread inherited them: the programs are the same, not only equal.
    assert first.layers == second.layers


def test_it_equals_the_filter_read_by_ptrace(stacked: Stacked) -> None:
    with stacked("main", 3) as pid:
        assert codes(read_kernel(pid)[pid]) == read_filters(pid)


def test_one_thread_alone(stacked: Stacked) -> None:
    with stacked("own", 2) as pid:
        first, second = threads_of(pid)
        assert second
        assert list(read_kernel(second.tid)) == [second.tid]
        assert read_kernel(pid) == {}
    assert first is None and codes(second) == [expected_layer(2), expected_layer(1)]


def test_a_synchronised_thread_has_the_same(stacked: Stacked) -> None:
    with stacked("tsync", 2) as pid:
        first, second = threads_of(pid)
    assert first and second and first.layers == second.layers and len(first.layers) == 2


def test_equal_programs_of_two_loads_are_two_filters(stacked: Stacked) -> None:
    with stacked("main", 1) as one, stacked("main", 1) as other:
        held = read_kernel()
    assert codes(held[one]) == codes(held[other])
    assert held[one].layers[0].identity != held[other].layers[0].identity


def test_strict_mode(stacked: Stacked) -> None:
    with stacked("strict", 0) as pid:
        first, second = threads_of(pid)
    assert first is None
    assert second and (second.mode, second.count, second.layers) == (1, 0, ())


def test_more_layers_than_are_read(stacked: Stacked) -> None:
    with stacked("main", LAYERS + 3) as pid:
        held = read_kernel()[pid]
    assert held.count == LAYERS + 3
    assert codes(held) == [expected_layer(n) for n in range(LAYERS + 3, 3, -1)]


def test_the_longest_program(compiler: Compiler) -> None:
    with running(compiler("longest_filter"), "3") as pid:
        held = read_kernel()[pid]
    assert [len(code or b"") for code in codes(held)] == [4096 * 8] * 3


def test_more_programs_than_fit_at_once(compiler: Compiler) -> None:
    """200 programs of 32 KiB exceed the buffer: they are read in several rounds."""
    with running(compiler("longest_filter"), "4", "60") as pid:
        tids = sorted(int(path.name) for path in Path(f"/proc/{pid}/task").iterdir())
        held = read_kernel()
    assert len(tids) == 60
    programs = [code for tid in tids for code in codes(held[tid])]
    assert len(programs) == 240 and None not in programs
    assert len(set(programs)) == 240


def test_ids_are_those_of_our_pid_namespace(compiler: Compiler) -> None:
    script = (
        "import subprocess, sys\n"
        "from seclatch.process.kernel.kernel_filters import read_kernel\n"
        "p = subprocess.Popen([sys.argv[1], 'main', '1'], stdout=subprocess.PIPE)\n"
        "p.stdout.readline(); held = read_kernel(p.pid); p.kill()\n"
        "print(p.pid < 100 and held[p.pid].pid == p.pid and len(held))"
    )
    import sys

    done = subprocess.run(
        [
            "unshare",
            "--pid",
            "--fork",
            "--mount-proc",
            sys.executable,
            "-c",
            script,
            compiler("filter_stack"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "1\n", done.stderr

"""What a program can call from its main loop on, and what only its start calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.model.scan import Scan, ScannedProgram
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.scan.built import scan_built

# The start stores a handler by code, another one by data, and calls what the loop never does.
SOURCE = """
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>
#define NOINLINE __attribute__((noinline))
static NOINLINE int stored(int n) { return syscall(SYS_sync) + n; }
static NOINLINE int listed(int n) { return syscall(SYS_vhangup) + n; }
static NOINLINE int early(int n) { return syscall(SYS_acct, 0) + n; }
static NOINLINE int late(int n) { return syscall(SYS_sethostname, 0, 0) + n; }
int (*handler)(int);
int (*const handlers[2])(int) = { listed, 0 };
static NOINLINE void start(int n) { handler = n > 9 ? 0 : stored; n += early(n); }
NOINLINE int main_loop(int n) { return syscall(SYS_getpgid, 0) + handler(n) + handlers[n](n); }
int main(int n, char **v) { start(n); n += main_loop(n); return n + late(n) + (v == 0); }
"""


@pytest.mark.parametrize("flags", [["-rdynamic"], ["-rdynamic", "-s", "-no-pie"]])
def test_what_the_start_alone_calls(flags: list[str], cache: SummaryCache, tmp_path: Path) -> None:
    found = scan_built(SOURCE, ["-O2", *flags], cache, tmp_path, main_loop="main_loop")
    start = Scan("x", (found,)).start_calls
    assert {"acct", "sethostname"} <= start
    assert not {"getpgid", "sync", "vhangup"} & start
    assert {"getpgid", "sync", "vhangup", "acct"} <= {call.name for call in found.calls}


def test_of_a_static_program_nothing_is_left_out(cache: SummaryCache, tmp_path: Path) -> None:
    """Its C library takes main's address in itself."""
    found = scan_built(SOURCE, ["-O2", "-static"], cache, tmp_path, main_loop="main_loop")
    assert found.main_loop and not {"acct", "getpgid"} & Scan("x", (found,)).start_calls


def test_a_program_without_that_function_is_as_before(cache: SummaryCache, tmp_path: Path) -> None:
    found = scan_built(SOURCE, ["-O2", "-s"], cache, tmp_path, main_loop="main_loop")
    assert not found.main_loop and not Scan("x", (found,)).start_calls
    other = ScannedProgram("/y", "x86_64", "", (), found.calls, main_loop="f", loop_calls=())
    assert not Scan("x", (found, other)).start_calls


THREADS = """
#include <pthread.h>
#include <stdlib.h>
#define NOINLINE __attribute__((noinline))
static void *work(void *unused) { return unused; }
static NOINLINE void start(void) { pthread_t one; pthread_create(&one, 0, work, 0); }
NOINLINE int main_loop(int n) { void *volatile p = malloc(n); free(p); return p != 0; }
int main(int n, char **v) { start(); return main_loop(n) + (v == 0); }
"""


def test_what_the_start_makes_possible(cache: SummaryCache, tmp_path: Path) -> None:
    """free(3) gives memory of threads back by madvise(2), and the start alone makes a thread."""
    flags = ["-O2", "-rdynamic"]
    found = scan_built(THREADS, flags, cache, tmp_path, main_loop="main_loop")
    assert "madvise" in {call.name for call in found.calls}
    assert "madvise" not in Scan("x", (found,)).start_calls

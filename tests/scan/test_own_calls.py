"""Rules that a program lifts by what it does itself: $GCONV_PATH, another root, own threads."""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.scan.summary.summary_cache import SummaryCache
from tests.scan import traced
from tests.scan.built import calls

HEAD = """
#define _GNU_SOURCE
#include <iconv.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
extern char **environ;
void *cap_get_proc(void);
"""
MAIN = HEAD + 'int main(int n, char **v) {{ {} return iconv_open("LATIN1", "UTF-8") == 0; }}'
SETTING = {
    "setenv": 'setenv("GCONV_PATH", "/opt/none", 1);',
    "putenv": 'static char text[] = "GCONV_PATH=/opt/none"; putenv(text);',
    "environ": 'static char *own[] = {"GCONV_PATH=/opt/none", 0}; environ = own;',
    "text on the stack": 'char text[] = "GCONV_PATH=/opt"; putenv(text);',
}
ROOTS = {
    "chroot": 'chroot("/srv");',
    "setns": "setns(3, CLONE_NEWNS);",
    "pivot_root": 'syscall(SYS_pivot_root, "/srv", "/srv/old");',
    "a computed call": "syscall(n, v);",
}
OTHER = 'setenv("LANG", "C", 1); syscall(SYS_gettid);'
BY_HAND = 'long r; asm volatile("syscall" : "=a"(r) : "a"({}), "D"(0x100), "S"(0), "d"(0));'
THREADS = {
    "clone": BY_HAND.format(56),
    "clone3": BY_HAND.format(435),
    "by syscall(2)": "syscall(SYS_clone, CLONE_VM, v, 0, 0, 0);",
    "a computed call": "syscall(n, v);",
}
DIRECTORIES = {"getcwd", "getdents64"}


@pytest.mark.parametrize("how", SETTING)
def test_a_program_that_sets_the_path_of_character_sets(
    how: str, cache: SummaryCache, tmp_path: Path
) -> None:
    flags: list[str | Path] = ["-O0"] if "stack" in how else []
    found = calls(MAIN.format(SETTING[how]), flags, cache, tmp_path)
    program = str(tmp_path / "p")
    made = traced.trace([program], tmp_path / "log")[program]
    assert DIRECTORIES <= made <= found


@pytest.mark.parametrize("how", ROOTS)
def test_a_program_that_enters_another_root(how: str, cache: SummaryCache, tmp_path: Path) -> None:
    """Character sets may be configured there, without the cache that the image has."""
    found = calls(MAIN.format(ROOTS[how]), [], cache, tmp_path)
    assert found & DIRECTORIES == {"getdents64"}


def test_a_program_that_does_neither(cache: SummaryCache, tmp_path: Path) -> None:
    assert not calls(MAIN.format(OTHER), [], cache, tmp_path) & DIRECTORIES


@pytest.mark.parametrize("how", [*THREADS, "none"])
def test_threads_without_the_library(how: str, cache: SummaryCache, tmp_path: Path) -> None:
    body = THREADS.get(how, OTHER) + " cap_get_proc();"
    found = calls(MAIN.format(body), ["-l:libcap.so.2"], cache, tmp_path)
    assert ("sched_yield" in found) is (how != "none")

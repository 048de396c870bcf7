"""Static programs contain glibc's own signal handlers: their calls, and no others, are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.scan.summary.summary_cache import SummaryCache
from tests.scan import traced
from tests.scan.test_numbers import names, scanned
from tests.scan.test_stack import HEAD, build

USERS = """
#define _GNU_SOURCE
#include <grp.h>
#include <unistd.h>
int main(void) {
    gid_t group = 1;
    if (setgroups(1, &group) || setresgid(1, 1, 1) || setuid(1)) return 1;
    return getuid() != 1; }
"""
THREADS = """
#define _GNU_SOURCE
#include <pthread.h>
#include <unistd.h>
static void *wait(void *none) { pause(); return none; }
int main(void) {
    pthread_t thread;
    if (pthread_create(&thread, 0, wait, 0) || setresuid(1, 1, 1)) return 1;
    return pthread_cancel(thread) || pthread_join(thread, 0); }
"""
BUILDS = {
    "static": ["-static"],
    "stripped": ["-static", "-s"],
    "pie": ["-static-pie"],
    "position dependent": ["-static", "-no-pie", "-fno-pie"],
}


@pytest.mark.parametrize("how", BUILDS)
@pytest.mark.parametrize("source", [USERS, THREADS], ids=["users", "threads"])
def test_users_and_threads_are_whole(
    source: str, how: str, cache: SummaryCache, tmp_path: Path
) -> None:
    path = build(source, tmp_path / "p", "-O2", "-pthread", *BUILDS[how])
    found = scanned(path, cache)
    made = traced.trace([str(path)], tmp_path / "log")[str(path)]
    assert {"setresuid", "setuid"} & made
    assert made <= names(found)
    assert not found.open
    assert "setreuid" not in names(found)


# The program's own code that looks like glibc's. `setuid` links glibc's into the program.
SENDER = """
#define SEND(p) ({ long r_; __asm__ volatile("syscall" : "=a"(r_) : "0"(234L), "D"(0L), "S"(0L), \\
    "d"(33L) : "rcx", "r11", "memory"); r_; })
struct job { int nr; };
KEPT void other(struct job *j) { if (seen) j->nr = 102; }
KEPT long run(struct job *j) { SEND(j); other(j); return CALL(j->nr); }
int main(int n, char **v) {
    struct job j = {39}; seen = n; if (n > 9) setuid(0); return run(&j) < 0; }
"""
HANDLER = """
long handle(int signal);
__asm__(".globl handle\\n.type handle, @function\\nhandle: cmp $33, %%edi\\njne 1f\\n"
        "mov seen(%%rip), %%eax\\nsyscall\\n1: ret\\n.size handle, . - handle");
long (*volatile stored)(int) = handle;
int main(int n, char **v) { seen = 102; if (n > 9) setuid(0); return %s(33) < 0; }
"""
TAKER = """
KEPT long wrapped(long nr) { return CALL(nr); }
KEPT long with(long (*call)(long)) { return call(102); }
KEPT long take(int signal, char **v) { return v[0] ? with(wrapped) : wrapped(39); }
int main(int n, char **v) { return take(32, v) < 0; }
"""
BLANKS = """
KEPT long wrapped(long nr) { return CALL(nr); }
KEPT long with(long (*call)(long), int c) { return call(c); }
KEPT long take(int c) { if (c == 32) return 0; return with(wrapped, c); }
int main(int n, char **v) { return take(n + 101) < 0; }
"""
STORED = """
KEPT long wrapped(long nr) { return CALL(nr); }
static long (*volatile call)(long) = wrapped;
KEPT long take(int c) { if (c == 32) return 0; return call(c); }
int main(int n, char **v) { return take(n + 101) < 0; }
"""
CALLED, BOTH = HANDLER % "handle", HANDLER % "stored" + "#include <pthread.h>\n"
BOTH += "void *begin(void *none) { return none; }\n"
BOTH += "int threads(void) { pthread_t t; return pthread_create(&t, 0, begin, 0); }\n"
BOTH += "int (*volatile used)(void) = threads;\n"


@pytest.mark.parametrize("level", ["-O1", "-O2", "-Os"])
@pytest.mark.parametrize(
    "source",
    [SENDER, CALLED, BOTH, TAKER, BLANKS, STORED],
    ids=["sender", "called handler", "two", "taker", "blanks", "blanks, stored"],
)
def test_look_alikes_are_not_trusted(
    source: str, level: str, cache: SummaryCache, tmp_path: Path
) -> None:
    path = build(HEAD + source, tmp_path / "p", level, "-static", "-pthread")
    found = scanned(path, cache)
    made = traced.trace([str(path)], tmp_path / "log")[str(path)]
    assert "getuid" in made
    assert "getuid" in names(found) or found.open

"""Numbers and flags in memory: changed by other functions, in parts, by a second return.

Either the program's calls are found, or the scan is open.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from seclatch.scan.a64 import a64_flow
from seclatch.scan.analysis.abstract_values import State
from seclatch.scan.analysis.dataflow import FlowFacts, StepBudget, find_states
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.scan import traced
from tests.scan.test_numbers import names, scanned

HEAD = r"""
#include <setjmp.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
#define CALL(nr) ({ long r_; \
    __asm__ volatile("syscall" : "=a"(r_) : "0"((long)(nr)) : "rcx", "r11", "memory"); r_; })
#define KEPT __attribute__((noinline))
volatile int seen;
"""

# Each calls getuid (102), or the named call; the memory first contains getpid (39).
PROGRAMS = {
    "a callee's choice": """
        KEPT void choose(long *nr, int n) { if (n > 0) *nr = 102; }
        int main(int n, char **v) { long nr = 39; choose(&nr, n); return CALL(nr) < 0; }""",
    "read by the library": """
        int main(int n, char **v) {
            long nr = 39; sscanf("102", "%ld", &nr); return CALL(nr) < 0; }""",
    "a field": """
        struct job { long flags, nr; };
        KEPT void fill(struct job *j, int n) { j->flags = n; j->nr = 102; }
        int main(int n, char **v) {
            struct job j = {0, 39}; fill(&j, n); return CALL(j.nr) < 0; }""",
    "through the caller's pointer": """
        struct job { long flags, nr; };
        KEPT void other(void) { seen++; }
        KEPT long run(struct job *j, int n) { if (n) j->nr = 102; other(); return CALL(j->nr); }
        int main(int n, char **v) { struct job j = {0, 39}; return run(&j, n) < 0; }""",
    "by an index": """
        KEPT long run(int i) {
            volatile long all[3] = {39, 39, 39}; all[i] = 102; return CALL(all[1]); }
        int main(int n, char **v) { return run(n) < 0; }""",
    "by the kernel": """
        int main(int n, char **v) {
            long nr = 39, other = 102; int ends[2]; if (pipe(ends)) return 1;
            if (write(ends[1], &other, 8) != 8 || read(ends[0], &nr, 8) != 8) return 1;
            return CALL(nr) < 0; }""",
    "two halves": """
        struct call { unsigned short nr, flags; };
        KEPT long run(struct call *c) { return CALL(c->nr); }
        int main(int n, char **v) { struct call c = {102, 1}; return run(&c) < 0; }""",
    "a low byte": """
        KEPT long run(int *n) { return CALL(*(unsigned char *)n); }
        int main(int n, char **v) { int word = 0x1066; return run(&word) < 0; }""",
    "moved by a wide register": """
        struct pair { long flags, nr; } kept;
        KEPT long run(struct pair *p, int n) {
            volatile struct pair mine; mine.flags = 1; mine.nr = 39;
            if (n) memcpy((void *)&mine, p, sizeof mine);
            return CALL(mine.nr); }
        int main(int n, char **v) { kept.nr = 102; return run(&kept, n) < 0; }""",
    "a seventh argument": """
        KEPT long run(long a, long b, long c, long d, long e, long f, long nr) {
            if (a) nr = 102; seen += (int)(b + c + d + e + f); return CALL(nr); }
        int main(int n, char **v) { return run(n, 1, 2, 3, 4, 5, 39) < 0; }""",
    "a second return": """
        static jmp_buf place;
        KEPT void leave(void) { longjmp(place, 1); }
        int main(int n, char **v) {
            volatile long nr = 39; if (setjmp(place)) return CALL(nr) < 0;
            nr = 102; leave(); return 1; }""",
    "a child that shares memory": """
        int main(int n, char **v) {
            volatile long nr = 39; pid_t child = vfork();
            if (!child) { nr = 102; _exit(0); }
            return CALL(nr) < 0; }""",
    "a nested function": """
        int main(int n, char **v) {
            long nr = 39; KEPT void change(void) { nr = 102; } change(); return CALL(nr) < 0; }""",
    "a label and some more": """
        KEPT long run(long nr, int i) {
            static const int by[] = { &&a - &&a, &&b - &&a };
            goto *(&&a + by[i]);
            a: seen++; if (nr) return -1; nr = 39;
            b: seen = 2; return CALL(nr); }
        int main(int n, char **v) { return run(102, n) < 0; }""",
    "flags of posix_spawn": """
        KEPT void choose(short *flags) { *flags = 0x80; }
        int main(int n, char **v) {
            short flags = 0; choose(&flags); posix_spawnattr_t a; posix_spawnattr_init(&a);
            posix_spawnattr_setflags(&a, flags); pid_t child; char *w[] = {"true", 0};
            posix_spawn(&child, "/bin/true", 0, &a, w, 0); waitpid(child, 0, 0);
            return CALL(102) < 0; }""",
    "what sysconf is asked": """
        KEPT void choose(int *name) { *name = _SC_PHYS_PAGES; }
        int main(int n, char **v) {
            int name = _SC_PAGESIZE; choose(&name); seen = sysconf(name) > 0;
            return CALL(102) < 0; }""",
}

CAUGHT = r"""
extern "C" int puts(const char *);
#define CALL(nr) ({ long r_; \
    __asm__ volatile("syscall" : "=a"(r_) : "0"((long)(nr)) : "rcx", "r11", "memory"); r_; })
__attribute__((noreturn, noinline)) void fail(int n);
__attribute__((noinline)) void maybe(int n) { if (n) throw 1; }
__attribute__((noinline)) long run(int n) {
    long nr = 102; asm volatile("" : "+r"(nr));
    try { maybe(n); nr = 39; asm volatile("" : "+r"(nr)); fail(2); }
    catch (int) { asm volatile("" : "+r"(nr)); return CALL(nr); }
}
int main(int n, char **v) { return run(n) < 0; }
"""


def build(source: str, program: Path, *flags: str | Path, compiler: str = "gcc") -> Path:
    path = program.with_suffix(".cc" if compiler == "g++" else ".c")
    path.write_text(source)
    subprocess.run([compiler, "-w", "-o", program, path, *flags], check=True, timeout=60)
    return program


def check(program: Path, cache: SummaryCache, directory: Path) -> None:
    made = traced.trace([str(program)], directory / "log")[str(program)]
    assert "getuid" in made
    found = scanned(program, cache)
    assert made <= names(found) or found.open


@pytest.mark.parametrize("level", ["-O0", "-O1", "-O2", "-Os"])
@pytest.mark.parametrize("what", PROGRAMS)
def test_memory(what: str, level: str, cache: SummaryCache, tmp_path: Path) -> None:
    check(build(HEAD + PROGRAMS[what], tmp_path / "p", level), cache, tmp_path)


@pytest.mark.parametrize("level", ["-O1", "-O2", "-Os"])
def test_landing_pads(level: str, cache: SummaryCache, tmp_path: Path) -> None:
    """The function that does not return is in another file, and no rule names it."""
    other = 'extern "C" void _exit(int); __attribute__((noreturn)) void fail(int n) { _exit(n); }'
    name = tmp_path / "libother.so"
    library = build(other, name, level, "-shared", "-fPIC", compiler="g++")
    link = (level, library, f"-Wl,-rpath,{tmp_path}")
    check(build(CAUGHT, tmp_path / "p", *link, compiler="g++"), cache, tmp_path)


WRAPPERS = """
KEPT long wrapped(long nr) { return CALL(nr); }
long known(void) { return wrapped(102); }
long (*stored)(long) = wrapped;
"""
USERS = {
    "by its own library": "long known(void); int main(void) { return known() < 0; }",
    "by a pointer": "extern long (*stored)(long); int main(void) { return stored(102) < 0; }",
    "by name": """
        void *dlsym(void *, const char *);
        int main(void) { return ((long (*)(long))dlsym(0, "wrapped"))(102) < 0; }""",
    "by name, syscall": """
        void *dlsym(void *, const char *);
        int main(void) { return ((long (*)(long))dlsym(0, "syscall"))(102) < 0; }""",
}


@pytest.mark.parametrize("way", USERS)
@pytest.mark.parametrize("flag", ["-O1", "-fno-plt"])
def test_wrappers_called_from_other_files(
    way: str, flag: str, cache: SummaryCache, tmp_path: Path
) -> None:
    library = build(
        HEAD + WRAPPERS, tmp_path / "libwrap.so", flag, "-shared", "-fPIC", "-Wl,-soname,libwrap.so"
    )
    link = ("-Wl,--no-as-needed", str(library), f"-Wl,-rpath,{tmp_path}")
    check(build(USERS[way], tmp_path / "p", "-O1", *link), cache, tmp_path)


# aarch64: x8 is 172 and stored in a word of the stack; the given code runs; x8 is loaded; svc.
KEEP, READ, SVC = (0xD2801588, 0xF9001FE8), 0xF9401FE8, 0xD4000001
BETWEEN = {
    "nothing": ((), {172}),
    "another word": ((0xF90023E0,), {172}),  # str x0, [sp, #64]
    "a vector beside it": ((0x3D8013E0,), {172}),  # str q0, [sp, #64]
    "a vector over it": ((0x3D800FE0,), None),  # str q0, [sp, #48]
    "a pair over it": ((0xA9037FFF,), {0}),  # stp xzr, xzr, [sp, #48]
    "half of it": ((0xB9003BFF,), None),  # str wzr, [sp, #56]: read whole
    "a call": ((0x94000000,), {172}),
    "its address, and a call": ((0x9100E3E0, 0x94000000), None),  # add x0, sp, #56
    "its address, and a store": ((0x9100E3E0, 0xF9000041), None),  # str x1, [x2]
    "an index": ((0xF8227BE1,), None),  # str x1, [sp, x2, lsl #3]
    "another stack": ((0xCB2263FF,), None),  # sub sp, sp, x2
}


@pytest.mark.parametrize("what", BETWEEN)
def test_words_of_the_stack_on_aarch64(what: str) -> None:
    between, expected = BETWEEN[what]
    words = (*KEEP, *between, READ, SVC)
    code = b"".join(each.to_bytes(4, "little") for each in words)
    ways = FlowFacts(set(), set(), [], [], caught=False, labels=False)
    at = 0x1000 + 4 * (len(words) - 1)
    found: dict[int, State] | None = find_states(
        a64_flow.A64Function(code, 0x1000, ways), {at}, StepBudget()
    )
    assert found is not None
    value = found[at].get(8)
    assert (None if value is None else set(value)) == expected


def test_data_that_is_copied(cache: SummaryCache, tmp_path: Path) -> None:
    """R_X86_64_COPY: the copy in the program's memory points where the library's object did."""
    source = HEAD + "static long f(void) { return CALL(102); } long (*stored)(void) = f;"
    library = build(source, tmp_path / "libdata.so", "-O1", "-shared", "-fPIC")
    main = "extern long (*stored)(void); int main(void) { return stored() < 0; }"
    program = build(main, tmp_path / "p", "-O1", library, f"-Wl,-rpath,{tmp_path}")
    assert (
        "COPY"
        in subprocess.run(
            ["readelf", "-rW", program], capture_output=True, text=True, check=True
        ).stdout
    )
    assert "getuid" in names(scanned(program, cache))

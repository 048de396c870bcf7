"""Path facts about a number: the branch taken, or a call that does not return.

glibc until 2.33 has both in libpthread (SYSCALL_CANCEL, lll_futex_wait).
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from seclatch.scan.analysis import functions
from seclatch.scan.analysis.library_rules import load_rules
from seclatch.scan.elf import elf_file as elfs
from seclatch.scan.elf import relocations, symbols
from seclatch.scan.summary import summarize_file
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.scan import traced
from tests.scan.test_numbers import names, scanned

ZERO = """
asm(".text\\n.globl made\\n.type made, @function\\nmade: .cfi_startproc\\n"
    " mov %fs:0x18, %eax\\n BEFORE\\n test %eax, %eax\\n BETWEEN\\n jne 1f\\n"
    "2: syscall\\n ret\\n1: mov $102, %eax\\n AFTER\\n .cfi_endproc\\n");
int made(void);
int main(void) { return made(); }
"""
CLEAR, OPEN = {"getuid", "read"}, None
OTHERS = "syscall; ret"

# The code, and the calls that a scan finds: None if the number is unknown there.
WAYS: dict[str, tuple[dict[str, str], set[str] | None]] = {
    "by the branch alone": ({"AFTER": OTHERS}, CLEAR),
    "from elsewhere too": ({"AFTER": "mov %edi, %eax; jmp 2b"}, OPEN),
    "into between": ({"BEFORE": "test %edi, %edi; jz 3f", "BETWEEN": "3:", "AFTER": OTHERS}, OPEN),
}


def build(source: str, directory: Path, *flags: str) -> Path:
    program = directory / "p"
    program.with_suffix(".c").write_text(source)
    words = ["gcc", "-w", "-O1", "-o", program, program.with_suffix(".c"), *flags]
    subprocess.run(words, check=True, timeout=60)
    return program


@pytest.mark.parametrize("way", WAYS)
def test_a_number_implied_by_a_branch(way: str, cache: SummaryCache, tmp_path: Path) -> None:
    texts, expected = WAYS[way]
    source = ZERO
    for word in ("BEFORE", "BETWEEN", "AFTER"):
        source = source.replace(word, texts.get(word, ""))
    program = scanned(build(source, tmp_path), cache)
    assert program.whole == (expected is not None)
    assert names(program) >= (expected or set())


RAW = """
#include <stdlib.h>
#define CALL(nr) ({ long r; \\
    asm volatile("syscall" : "=a"(r) : "0"(nr) : "rcx", "r11", "memory"); r; })
__attribute__((noinline, cold)) void slow(void) { asm volatile(""); }
"""

# gcc's output here jumps into the middle of a function: from its own cold part, from a table.
INTO = {
    "a cold part": (
        """
        __attribute__((noinline)) long raw(long *n) {
            long nr = *n;
            if (__builtin_expect(nr != 0, 0)) { slow(); nr = 102; }
            return CALL(nr);
        }
        int main(int n, char **v) { long a = n; return raw(&a); }""",
        ["-O2"],
    ),
    "a cold part's constant": (
        """
        __attribute__((noinline)) long raw(long n) {
            long nr = 39;
            if (__builtin_expect(n != 2, 0)) { slow(); nr = 102; }
            return CALL(nr);
        }
        int main(int n, char **v) { return raw(n); }""",
        ["-O2"],
    ),
    "a table of addresses": (
        """
        __attribute__((noinline)) long f(long nr, int c) {
            switch (c) {
            case 1: return 5; case 2: slow(); return 7; case 3: return 11; case 4: exit(3);
            case 5: slow(); return 17; case 6: if (nr) return -1; /* fall through */
            case 7: return CALL(nr); }
            return 0;
        }
        int main(int n, char **v) { return f(n > 1 ? 0 : 102, n + 6); }""",
        ["-O2", "-fno-pie", "-no-pie"],
    ),
}


@pytest.mark.parametrize("way", INTO)
@pytest.mark.parametrize("link", [[], ["-static"]], ids=["dynamic", "static"])
def test_jumps_into_the_middle(
    way: str, link: list[str], cache: SummaryCache, tmp_path: Path
) -> None:
    """Either the number is found, or the program is open."""
    body, flags = INTO[way]
    path = build(RAW + body, tmp_path, *flags, *link)
    made = traced.trace([str(path)], tmp_path / "log")[str(path)]
    assert "getuid" in made
    program = scanned(path, cache)
    assert made <= names(program) or program.open


STUBS = """
#include <unistd.h>
extern void pthread_exit(void *);  /* without what its header says of it */
void *volatile kept[3];
__attribute__((noinline)) void leave(void) { asm volatile(""); pthread_exit(0); }
__attribute__((noinline)) long work(int n) {
    long nr = 39, r;
    if (n > 0) { getpid(); nr = 102; }
    asm volatile("syscall" : "=a"(r) : "0"(nr) : "rcx", "r11", "memory");
    return r;
}
int main(int n, char **v) {
    kept[0] = (void *)getpid; kept[1] = (void *)pthread_exit;
    work(n);
    if (n > 3) leave();
    return 0;
}
"""


def test_stubs_of_half_the_size(cache: SummaryCache, tmp_path: Path) -> None:
    """A called function whose address is taken gets a stub of 8 bytes (.plt.got).

    Its neighbour does not return, but the function itself does.
    """
    path = build(STUBS, tmp_path, "-O2")
    made = traced.trace([str(path)], tmp_path / "log")[str(path)]
    program = scanned(path, cache)
    assert "getuid" in made <= names(program)


# A loop that keeps the number in a caller-saved register, and ends by a call.
LOOP = """
#include <stdlib.h>
asm(".text\\n.globl made\\n.type made, @function\\nmade: .cfi_startproc\\n mov $102, %r9d\\n"
    " jmp 1f\\n2: call CALLED@PLT\\n3: inc %ecx\\n"
    "1: mov %r9d, %eax\\n syscall\\n test %eax, %eax\\n jg 3b\\n js 2b\\n ret\\n .cfi_endproc\\n");
int made(void);
int main(void) { if (made() > 1) CALLED(); }
"""


@pytest.mark.parametrize(("called", "whole"), [("abort", True), ("getpid", False)])
@pytest.mark.parametrize("flag", ["-Wl,-z,lazy", "-Wl,-z,now", "-Wl,-z,ibtplt"])
def test_a_call_that_does_not_return(
    called: str, whole: bool, flag: str, cache: SummaryCache, tmp_path: Path
) -> None:
    program = scanned(build(LOOP.replace("CALLED", called), tmp_path, flag), cache)
    assert "getuid" in names(program) or not whole
    assert program.whole is whole


LIBRARIES = (
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib/x86_64-linux-gnu/libstdc++.so.6",
    "/usr/aarch64-linux-gnu/lib/libc.so.6",
)
SEEM_TO = {"__assert_fail"}
"""It jumps to what it shares with others, which seems to return."""


@pytest.mark.parametrize("library", LIBRARIES)
def test_functions_listed_as_endless_do_not_return(library: str) -> None:
    elf = elfs.parse_elf(Path(library).read_bytes())
    known, written = symbols.read_symbols(elf), relocations.read_relocations(elf)
    _, sweep = summarize_file._sweep_until_stable(
        elf, functions.find_functions(elf, known, written)
    )
    rows = {
        name: each for name, each in known.exports.items() if load_rules().endless.fullmatch(name)
    }
    assert len(rows) >= 15
    returning = {
        name for name, each in rows.items() if not all(row.address in sweep.endless for row in each)
    }
    assert returning <= SEEM_TO


# As in libpthread until 2.33: functions that call by a pointer are known by their names.
SETXID = """
#define HIDDEN __attribute__((visibility("hidden"), noinline)) long
#define CALL(nr) ({ long r; \\
    asm volatile("syscall" : "=a"(r) : "0"(nr) : "rcx", "r11", "memory"); r; })
HIDDEN STORED(long *command) { return CALL(*command); }
HIDDEN HANDLER(long **command) { return CALL(**command); }
HIDDEN other(long ***command) { return CALL(***command); }
static long (*volatile table[2])(long *) = { STORED };
long use(int n, long *command) {
    HANDLER((long **)command);
    MORE
    return table[n](command);
}
"""
OTHER = "other((long ***)command);"
MADE = ("__nptl_setxid", "sighandler_setxid")

# Names of the functions, and further calls; the program is whole only if all are known.
LIBPTHREADS = {
    "as it is": (MADE, "", True),
    "another is stored": (("another", MADE[1]), "", False),
    "another is called": ((MADE[0], "another"), "", False),
    "a further one": (MADE, OTHER, False),
    "a further one alone": ((MADE[0], "plain"), OTHER, False),
}


@pytest.mark.parametrize("way", LIBPTHREADS)
def test_known_calls_by_a_pointer(way: str, cache: SummaryCache, tmp_path: Path) -> None:
    (stored, handler), more, whole = LIBPTHREADS[way]
    library = tmp_path / "libpthread.so.0"
    text = SETXID.replace("STORED", stored).replace("HANDLER", handler).replace("MORE", more)
    if handler == "plain":  # issues no call at all
        text = text.replace("CALL(**command)", "(long)*command")
    library.with_suffix(".c").write_text(text)
    subprocess.run(
        [
            "gcc",
            "-O1",
            "-shared",
            "-fPIC",
            "-Wl,-soname,libpthread.so.0",
            "-o",
            library,
            library.with_suffix(".c"),
        ],
        check=True,
        timeout=60,
    )
    source = "long use(int, long *); int main(int n, char **v) { return use(n, (long *)v); }"
    rpath = f"-Wl,--disable-new-dtags,-rpath,{tmp_path}"
    program = scanned(build(source, tmp_path, str(library), rpath), cache)
    assert program.whole == whole

"""Data that sections and symbols seem to split: what it points to is still reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.scan.elf.elf_file import ElfError, parse_elf
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.scan import traced
from tests.scan.test_numbers import names, scanned
from tests.scan.test_stack import HEAD, build

FUNCTIONS = "".join(
    f"KEPT static long f{i}(void) {{ return CALL({number}); }}\n"
    for i, number in enumerate((102, 104, 107, 108))  # getuid getgid geteuid getegid
)
MADE = {"getuid", "getgid", "geteuid", "getegid"}

# .tbss occupies no memory: the data after it is at the addresses that .tbss seems to have.
THREADS = """
struct entry { const char *name; long (*call)(void); };
static __thread char own[SIZE];
static const struct entry all[] = {{"a", f0}, {"b", f1}, {"c", f2}, {"d", f3}};
int main(int n, char **v) {
    own[n] = 1;
    for (int i = 0; i < 4; i++) if (n < 2 || !strcmp(all[i].name, v[1])) all[i].call();
    return own[n] & 2; }
"""
SETS = """
struct entry { const char *name; long (*call)(void); };
#define IN(f) static const struct entry in_##f \\
    __attribute__((section("entries"), used)) = {#f, f};
IN(f0) IN(f1) IN(f2) IN(f3)
extern const struct entry __start_entries[], __stop_entries[];
int main(void) {
    for (const struct entry *e = __start_entries; e < __stop_entries; e++) e->call();
    return 0; }
"""


@pytest.mark.parametrize("size", [8, 24, 40, 64])
@pytest.mark.parametrize("flags", [["-s"], ["-static", "-s"], []], ids=["", "static", "symbols"])
def test_thread_local_bss(size: int, flags: list[str], cache: SummaryCache, tmp_path: Path) -> None:
    source = HEAD + FUNCTIONS + THREADS
    path = build(source, tmp_path / "p", "-O2", f"-DSIZE={size}", *flags)
    check(path, cache, tmp_path)


@pytest.mark.parametrize("flags", [["-s"], ["-static"], [], ["-no-pie"]])
@pytest.mark.parametrize("compiler", ["gcc", "musl-gcc"])
def test_a_linker_set(compiler: str, flags: list[str], cache: SummaryCache, tmp_path: Path) -> None:
    static = ["-static"] if compiler == "musl-gcc" else []
    path = build(HEAD + FUNCTIONS + SETS, tmp_path / "p", "-O2", *flags, *static, compiler=compiler)
    check(path, cache, tmp_path)


# LLVM's output for a switch that returns pointers, and one whose first offset means none.
OFFSETS = """
struct ops { long more; long (*call)(void); };
#define OPS(i) static const struct ops o##i \\
    __asm__("ops_" #i) __attribute__((used)) = {i, f##i};
OPS(0) OPS(1) OPS(2) OPS(3)
__asm__(".pushsection .rodata\\n.balign 4\\noffsets: .long FIRST ops_0 - offsets, ops_1 - offsets,"
        " ops_2 - offsets, ops_3 - offsets\\n.popsection");
extern const int offsets[];
int main(void) {
    for (int i = 0; i < 5; i++) {
        const struct ops *o = (const struct ops *)((const char *)offsets + offsets[i]);
        if (i < 4 + (offsets[0] == 0) && offsets[i]) o->call(); }
    return 0; }
"""


@pytest.mark.parametrize("flags", [[], ["-s"]], ids=["symbols", "stripped"])
@pytest.mark.parametrize("first", ["", "0,"])
def test_offsets_of_data(first: str, flags: list[str], cache: SummaryCache, tmp_path: Path) -> None:
    source = HEAD + FUNCTIONS + OFFSETS.replace("FIRST", first)
    check(build(source, tmp_path / "p", "-O1", *flags), cache, tmp_path)


# The compiler derives the addresses of some of a class' tables from those of others.
CLASSES = """
struct A { virtual long a() { return 1; } long x = 1; };
struct B { virtual long b() { return 2; } long y = 2; };
struct E : virtual A, virtual B {
    long a() override { return f0(); }
    long b() override { return f1(); } };
struct C { virtual long c() { return 3; } };
struct F : E, C { long c() override { return f2() + f3(); } };
KEPT long use(A *a, B *b, C *c) { return a->a() + b->b() + c->c(); }
int main() { F *f = new F; return use(f, f, f) == 5; }
"""


@pytest.mark.parametrize("level", ["-O0", "-O1", "-O2", "-O3", "-Os"])
@pytest.mark.parametrize("flags", [["-s"], ["-static", "-s"]], ids=["", "static"])
def test_tables_of_classes(
    level: str, flags: list[str], cache: SummaryCache, tmp_path: Path
) -> None:
    source = HEAD + FUNCTIONS + CLASSES
    check(build(source, tmp_path / "p", level, *flags, compiler="g++"), cache, tmp_path)


# A list that links its members by a field in their middle.
LISTS = """
struct node { struct node *next; };
struct module { const char *name; long (*call)(void); struct node node; };
static struct module m3 = {"3", f3, {0}}, m2 = {"2", f2, {&m3.node}}, m1 = {"1", f1, {&m2.node}};
struct node *head = &m1.node;
int main(void) {
    f0();
    for (struct node *each = head; each; each = each->next)
        ((struct module *)((char *)each - 16))->call();
    return 0; }
"""


@pytest.mark.parametrize("level", ["-O0", "-O1", "-O2"])
def test_members_of_a_list(level: str, cache: SummaryCache, tmp_path: Path) -> None:
    path = build(HEAD + FUNCTIONS + LISTS, tmp_path / "p", level, "-rdynamic", "-s")
    check(path, cache, tmp_path)


# Pointers in thread-local data: code reaches them only through the thread pointer.
COPIES = """
static __thread long (*volatile first)(void) = f0;
static __thread struct { long more; long (*volatile call[3])(void); } rest = {1, {f1, f2, f3}};
int main(int n, char **v) {
    first();
    for (int i = 0; i < 3; i++) rest.call[i]();
    return rest.more == 2; }
"""


@pytest.mark.parametrize(
    "flags",
    [[], ["-s"], ["-static", "-s"], ["-static-pie"], ["-no-pie", "-fno-pie", "-s"], ["-fPIC"]],
    ids=" ".join,
)
def test_thread_local_data(flags: list[str], cache: SummaryCache, tmp_path: Path) -> None:
    path = build(HEAD + FUNCTIONS + COPIES, tmp_path / "p", "-O2", *flags)
    check(path, cache, tmp_path)


def test_a_copied_pointer_to_syscall(cache: SummaryCache, tmp_path: Path) -> None:
    source = HEAD + "static __thread long (*volatile call)(long, ...) = syscall;\n"
    source += "int main(int n, char **v) { return call(n + 101) < 0; }"
    for flags in ([], ["-static"]):
        path = build(source, tmp_path / "p", "-O2", *flags)
        assert any(
            "pointer" in each.why or "stored" in each.why for each in scanned(path, cache).open
        )


def check(path: Path, cache: SummaryCache, directory: Path) -> None:
    made = traced.trace([str(path)], directory / "log")[str(path)]
    assert made >= MADE
    assert made <= names(scanned(path, cache))


@pytest.mark.parametrize(
    "code",
    [
        "mov $-1, %%cl; movsbl %%cl, %%eax",
        "mov $0xffff, %%ecx; movswl %%cx, %%eax",
        "sub $256, %%rsp; movl $0xffff, 8(%%rsp); movswl 8(%%rsp), %%eax; add $256, %%rsp",
    ],
)
def test_a_signed_part(code: str, cache: SummaryCache, tmp_path: Path) -> None:
    source = f"""
int main(void) {{
    long r; __asm__ volatile("{code}; add $103, %%eax; syscall"
        : "=a"(r) : : "rcx", "r11", "memory"); return 0; }}"""
    path = build(HEAD + source, tmp_path / "p", "-O1")
    made = traced.trace([str(path)], tmp_path / "log")[str(path)]
    assert "getuid" in made
    found = scanned(path, cache)
    assert made <= names(found) or found.open


@pytest.mark.parametrize("instruction", ["or $1, %%ah", "add $1, %%ah", "xchg %%ah, %%al"])
def test_a_second_byte(instruction: str, cache: SummaryCache, tmp_path: Path) -> None:
    source = (
        HEAD
        + f"""
int main(void) {{
    long r; __asm__ volatile("mov $39, %%eax; {instruction}; syscall"
        : "=a"(r) : : "rcx", "r11", "memory"); return 0; }}"""
    )
    assert scanned(build(source, tmp_path / "p", "-O1"), cache).open


def test_a_packed_program(tmp_path: Path) -> None:
    data = Path("/bin/true").read_bytes()
    with pytest.raises(ElfError, match="packed by UPX"):
        parse_elf(data[:0xE8] + b"UPX!" + data[0xEC:])

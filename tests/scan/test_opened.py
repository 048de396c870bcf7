"""Files that programs load while they run: named by strings, by tables, or unknown."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.reach.scan_program import scan_program
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.scan import traced
from tests.scan.test_numbers import names, scanned
from tests.scan.test_stack import HEAD, build

OPENS = "#include <dlfcn.h>\n" + HEAD
LIBRARY = HEAD + "long run(void) { return CALL(102); }\n"
RUN = """
    void *library = dlopen(%s, RTLD_NOW);
    long (*run)(void) = (long (*)(void))dlsym(library, "run");
    return !run || run() < 0; }
"""
MAIN = "int main(int n, char **v) {"

# Each loads a library that calls getuid; DIR is its directory.
PROGRAMS = {
    "a path": MAIN + RUN % '"DIR/libown.so"',
    "a table": """static const char *const all[] = {"DIR/libown.so", "/nonexistent.so"};"""
    + MAIN
    + RUN % "all[n - 1]",
    "made": MAIN
    + 'char name[256]; snprintf(name, 256, "%s/lib%s.so", "DIR", "own");'
    + RUN % "name",
    "from the working directory": MAIN + 'if (chdir("DIR")) return 1;' + RUN % '"./libown.so"',
    "no suffix": MAIN + RUN % '"DIR/own.module"',
    "from outside": MAIN + RUN % 'getenv("OWN_LIBRARY")',
}


@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("what", PROGRAMS)
def test_a_library(what: str, level: str, cache: SummaryCache, tmp_path: Path) -> None:
    library = build(LIBRARY, tmp_path / "libown.so", level, "-shared", "-fPIC")
    (tmp_path / "own.module").symlink_to(library)
    path = build(OPENS + PROGRAMS[what].replace("DIR", str(tmp_path)), tmp_path / "p", level)
    environment = {"OWN_LIBRARY": str(library)}
    made = traced.trace([str(path)], tmp_path / "log", environment=environment)[str(path)]
    assert "getuid" in made
    found = scanned(path, cache)
    assert made <= names(found) or any("dlopen" in each.why for each in found.open)


LOOKED_UP = {
    "in a table": """
        static struct { const char *name; int more; } all[] = {{"none_such", 1}, {"own_run", 2}};
        int main(int n, char **v) {
            for (int i = 0; i < 2; i++) {
                long (*run)(void) = (long (*)(void))dlsym(RTLD_DEFAULT, all[i].name);
                if (run) return run() < 0; }
            return 1; }""",
    "its own": MAIN
    + """
            long (*run)(void) = (long (*)(void))dlsym(RTLD_DEFAULT, "own_run");
            return !run || run() < 0; }""",
}


@pytest.mark.parametrize("what", LOOKED_UP)
def test_a_function(what: str, cache: SummaryCache, tmp_path: Path) -> None:
    own = "long own_run(void) { return CALL(102); }\n"
    source = "#define _GNU_SOURCE\n" + OPENS + own + LOOKED_UP[what]
    path = build(source, tmp_path / "p", "-O1", "-rdynamic")
    made = traced.trace([str(path)], tmp_path / "log")[str(path)]
    assert "getuid" in made
    found = scanned(path, cache)
    assert made <= names(found) or any("dlsym" in each.why for each in found.open)


def test_a_library_s_own_function(cache: SummaryCache, tmp_path: Path) -> None:
    own = "#define _GNU_SOURCE\n" + OPENS + "long own_run(void) { return CALL(102); }\n"
    own += """long run(void) {
        long (*own)(void) = (long (*)(void))dlsym(RTLD_DEFAULT, "own_run");
        return own ? own() : -1; }"""
    library = build(own, tmp_path / "libown.so", "-O1", "-shared", "-fPIC")
    source = "long run(void); int main(void) { return run() < 0; }"
    path = build(source, tmp_path / "p", "-O1", library, f"-Wl,-rpath,{tmp_path}")
    made = traced.trace([str(path)], tmp_path / "log")[str(path)]
    assert "getuid" in made
    assert made <= names(scanned(path, cache))


def test_two_libraries_with_one_name(cache: SummaryCache, tmp_path: Path) -> None:
    """Each of them binds to its own, unless the program has the name, too (RTLD_LOCAL)."""
    for name, number in (("one", 39), ("two", 102)):
        source = HEAD + f"long same(void) {{ return CALL({number}); }}\n"
        source += f"long run_{name}(void) {{ return same(); }}\n"
        build(source, tmp_path / f"lib{name}.so", "-O1", "-shared", "-fPIC")
    calls = "".join(
        f'{{ void *at = dlopen("{tmp_path}/lib{name}.so", RTLD_NOW);'
        f' ((long (*)(void))dlsym(at, "run_{name}"))(); }}'
        for name in ("one", "two")
    )
    path = build(OPENS + MAIN + calls + " return 0; }", tmp_path / "p", "-O1")
    made = traced.trace([str(path)], tmp_path / "log")[str(path)]
    assert "getuid" in made
    assert made <= names(scanned(path, cache))


def test_a_library_that_prefers_its_own(cache: SummaryCache, tmp_path: Path) -> None:
    """RTLD_DEEPBIND: although the program has that name, too."""
    source = HEAD + "long same(void) { return CALL(102); } long run(void) { return same(); }"
    own = build(source, tmp_path / "libown.so", "-O1", "-shared", "-fPIC")
    source = "#define _GNU_SOURCE\n" + OPENS + "long same(void) { return 0; }\n" + MAIN
    source += (RUN % f'"{own}"').replace("RTLD_NOW", "RTLD_NOW | RTLD_DEEPBIND")
    path = build(source, tmp_path / "p", "-O1", "-rdynamic")
    made = traced.trace([str(path)], tmp_path / "log")[str(path)]
    assert "getuid" in made
    assert made <= names(scanned(path, cache))


def test_names_without_versions(cache: SummaryCache, tmp_path: Path) -> None:
    """A library linked against one without versions gets the oldest, also hidden ones."""
    (tmp_path / "stub").mkdir()
    flags = ["-shared", "-fPIC", "-nostdlib"]
    source = "int ustat(unsigned long device, void *result) { return 0; }"
    stub = build(source, tmp_path / "stub/libc.so.6", *flags, "-Wl,-soname,libc.so.6")
    source = "long run(void) { char room[256]; return ustat(1, room); }"
    own = build(source, tmp_path / "libown.so", *flags, stub)
    source = "long run(void); int main(void) { return run() < -1; }"
    path = build(source, tmp_path / "p", own, f"-Wl,-rpath,{tmp_path},--allow-shlib-undefined")
    made = traced.trace([str(path)], tmp_path / "log")[str(path)]
    assert "ustat" in made
    assert made <= names(scanned(path, cache))


@pytest.mark.parametrize("flags", [["-static"], ["-static", "-s"], ["-static-pie", "-s"]])
def test_a_static_program(flags: list[str], cache: SummaryCache, tmp_path: Path) -> None:
    """It contains dlopen(3), and so does one that never calls it."""
    own = build(LIBRARY, tmp_path / "libown.so", "-O1", "-shared", "-fPIC")
    opens = build(OPENS + MAIN + RUN % f'"{own}"', tmp_path / "p", "-O2", *flags)
    made = traced.trace([str(opens)], tmp_path / "log")[str(opens)]
    assert "getuid" in made
    assert any("dlopen" in each.why for each in scanned(opens, cache).open)
    never = build(HEAD + MAIN + 'puts("x"); return 0; }', tmp_path / "q", "-O2", *flags)
    assert scanned(never, cache).whole


def test_a_directory_that_only_the_cache_has(cache: SummaryCache, tmp_path: Path) -> None:
    """As after `ldconfig DIRECTORY`."""
    for each in ("etc", "opt/own", "lib64"):
        (tmp_path / each).mkdir(parents=True)
    for name in ("/lib64/ld-linux-x86-64.so.2", "/lib64/libc.so.6"):
        source = (
            Path(name) if Path(name).exists() else Path("/lib/x86_64-linux-gnu", Path(name).name)
        )
        (tmp_path / name[1:]).write_bytes(source.read_bytes())
    build(
        LIBRARY,
        tmp_path / "opt/own/libown.so.1",
        "-O1",
        "-shared",
        "-fPIC",
        "-Wl,-soname,libown.so.1",
    )
    build(OPENS + MAIN + RUN % '"libown.so.1"', tmp_path / "p", "-O1")
    subprocess.run(["ldconfig", "-X", "-r", tmp_path, "/opt/own"], check=True, timeout=60)
    rootfs = Rootfs(tmp_path)
    try:
        assert "getuid" in names(scan_program(rootfs, cache, ScanTarget("/p", "built here")))
    finally:
        rootfs.close()

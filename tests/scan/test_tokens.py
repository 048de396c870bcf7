"""The loader reads the program's own path only if a path in the program has a token."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from seclatch.scan.summary.summary_cache import SummaryCache
from tests.scan import traced
from tests.scan.test_library_rules import build, names

LITERAL = 'dlopen("$ORIGIN/none.so", 1);'
GIVEN = 'char *name = getenv("NAME"); if (name) dlopen(name, 1);'
COMES_BACK = 'asm volatile("");'
OTHER = "void other(void); other();"

# The program's code, its library's code, and whether the loader reads its path.
WAYS = {
    "a literal": (LITERAL, "", True),
    "in braces": ('dlopen("/usr/${LIB}/none.so", 1);', "", True),
    "another namespace": ('dlmopen(LM_ID_NEWLM, "/$PLATFORM/none.so", 1);', "", True),
    "looked up": ('void *(*f)() = dlsym(RTLD_NEXT, "dlopen"); f("$ORIGIN/none.so", 1);', "", True),
    "the library gives it": (
        "char *name(void); dlopen(name(), 1);",
        'char *name(void) { return "$ORIGIN/none.so"; }',
        True,
    ),
    "the library jumps to it": (
        'void load(char *); load("$ORIGIN/none.so");',
        "void *load(char *n) { return dlopen(n, 2); }",
        True,
    ),
    "the library gives its address": (
        'void *(*f(void))(); f()("$ORIGIN/none.so", 1);',
        "void *f(void) { return dlopen; }",
        True,
    ),
    "no literal": (GIVEN, "", False),
    "a literal that nobody opens": ('puts("$ORIGIN");', "", False),
    "the library opens what it is given": (
        OTHER,
        f"void other(void) {{ {GIVEN} {COMES_BACK} }}",
        False,
    ),
}


def build_library(body: str, path: Path) -> tuple[str, ...]:
    """Build the library; return the flags to link a program with it."""
    source = path.with_suffix(".c")
    source.write_text(f"#include <dlfcn.h>\n#include <stdlib.h>\n{body}\n")
    words = ["gcc", "-O2", "-w", "-shared", "-fPIC", "-o", path, source]
    subprocess.run(words, check=True, timeout=60)
    return "-Wl,--no-as-needed", str(path), f"-Wl,-rpath,{path.parent}"


@pytest.mark.parametrize("way", WAYS)
def test_which_paths_have_tokens(way: str, cache: SummaryCache, tmp_path: Path) -> None:
    """A path given at run time is assumed to have no token."""
    body, other, expected = WAYS[way]
    program = build(body, build_library(other, tmp_path / "libother.so"), tmp_path / "p")
    found = names(program, cache, {})
    assert ("readlinkat" in found) is expected
    given = {"NAME": "$ORIGIN/none.so"} if body == OTHER else {}
    made = traced.trace([str(program)], tmp_path / "log", environment=given)[str(program)]
    assert made <= found
    assert ("readlinkat" in made) is expected  # the assumption about the loader holds


def test_a_library_that_audits_the_loader(cache: SummaryCache, tmp_path: Path) -> None:
    library = "unsigned la_version(unsigned v) { getpgrp(); return v; }"
    build_library(f"#include <unistd.h>\n{library}", tmp_path / "libaudit.so")
    program = build("", ("-Wl,--audit,$ORIGIN/libaudit.so",), tmp_path / "p")
    found = names(program, cache, {})
    made = traced.trace([str(program)], tmp_path / "log")[str(program)]
    assert {"getpgrp", "readlinkat"} <= made <= found
    plain = build("", (), tmp_path / "plain")
    assert "getpgrp" not in names(plain, cache, {})
    assert "getpgrp" in names(plain, cache, {"LD_AUDIT": str(tmp_path / "libaudit.so")})

"""Files that the loader selects at run time: libraries by processor, character set modules."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from seclatch.model.scan import ScannedProgram
from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.reach.scan_program import scan_program
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.scan import traced


def compiled(text: str, output: Path, *flags: str) -> Path:
    output.parent.mkdir(parents=True, exist_ok=True)
    source = output.with_suffix(".c")
    source.write_text(text)
    subprocess.run(["gcc", "-O2", "-w", "-o", output, source, *flags], check=True, timeout=60)
    return output


def library(call: str, output: Path) -> Path:
    text = f"#include <unistd.h>\n#include <sched.h>\nint f(void) {{ return {call}; }}\n"
    return compiled(
        "#define _GNU_SOURCE\n" + text, output, "-shared", "-fPIC", "-Wl,-soname,libf.so"
    )


def scanned(program: Path, cache: SummaryCache) -> ScannedProgram:
    rootfs = Rootfs(Path("/"))
    try:
        return scan_program(rootfs, cache, ScanTarget(str(program), "built here"))
    finally:
        rootfs.close()


def names(program: ScannedProgram) -> set[str]:
    return {each.name for each in program.calls}


CALLS = {
    "": "getsid(-1)",
    "x86-64-v2": "getpgid(-1)",
    "x86-64-v3": "getppid()",
    "x86-64-v4": "sched_yield()",
}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Build a program whose library has a variant for each kind of processor."""
    place = tmp_path / "lib"
    for kind, call in CALLS.items():
        library(call, (place / "glibc-hwcaps" / kind if kind else place) / "libf.so")
    text = "int f(void); int main(void) { return f() == 42; }\n"
    return compiled(text, tmp_path / "p", place / "libf.so", "-Wl,-rpath,$ORIGIN/lib")


def test_every_variant_of_a_library_counts(
    program: Path, cache: SummaryCache, tmp_path: Path
) -> None:
    found = scanned(program, cache)
    assert {"getsid", "getpgid", "getppid", "sched_yield"} <= names(found)
    assert traced.trace([str(program)], tmp_path / "log")[str(program)] <= names(found)


def test_a_library_that_only_variants_have_is_found(program: Path, cache: SummaryCache) -> None:
    (program.parent / "lib/libf.so").unlink()
    found = scanned(program, cache)
    assert {"getpgid", "getppid", "sched_yield"} <= names(found) and not found.missing


def test_character_sets_are_loaded_for_programs_that_convert(
    cache: SummaryCache, tmp_path: Path
) -> None:
    text = """#include <iconv.h>
int main(void) {
  char in[] = "x", out[9], *a = in, *b = out; unsigned long m = 1, n = 9;
  return iconv(iconv_open("EUC-JP", "UTF-8"), &a, &m, &b, &n) == 42;
}
"""
    program = compiled(text, tmp_path / "p")
    found = scanned(program, cache)
    assert any(each.endswith("gconv/EUC-JP.so") for each in found.plugins)
    assert any(each.endswith("libJIS.so") for each in found.files)
    assert traced.trace([str(program)], tmp_path / "log")[str(program)] <= names(found)

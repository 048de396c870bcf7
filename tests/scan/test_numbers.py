"""Programs that hide their calls in every way known of compilers: all found, or reported open."""

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

SOURCE = Path(__file__).parent / "programs" / "numbers.c"

ONE, TWO = {"getpgid"}, {"getpgid", "getsid"}
CASES = {
    1: ONE,
    2: TWO,
    3: TWO,
    4: ONE,
    5: ONE,
    6: TWO | {"close", "dup", "fdatasync", "fsync"},
    7: TWO,
    8: TWO,
    9: ONE,
    10: ONE,
    11: ONE,
    12: ONE,
}
OPEN = (20, 21, 22, 23, 24, 25)

BUILDS = {
    "pie": ["gcc", "-O2"],
    "no-plt": ["gcc", "-O2", "-fno-plt"],
    "no-pie": ["gcc", "-O2", "-no-pie", "-fno-pie"],
    "unoptimised": ["gcc", "-O0"],
    "stripped": ["gcc", "-O2", "-s"],
    "static": ["gcc", "-O2", "-static"],
    "static-pie": ["gcc", "-Os", "-static-pie"],
    "musl": ["musl-gcc", "-O2", "-static"],
    "musl-bare": [
        "musl-gcc",
        "-O2",
        "-static",
        "-s",
        "-fno-asynchronous-unwind-tables",
        "-fno-unwind-tables",
    ],
}


def build(case: int, how: str, directory: Path) -> Path:
    path = directory / f"{how}-{case}"
    subprocess.run([*BUILDS[how], f"-DCASE={case}", "-o", path, SOURCE], check=True, timeout=60)
    return path


def scanned(path: Path, cache: SummaryCache) -> ScannedProgram:
    rootfs = Rootfs(Path("/"))
    try:
        return scan_program(rootfs, cache, ScanTarget(str(path), "built here"))
    finally:
        rootfs.close()


def names(program: ScannedProgram) -> set[str]:
    return {call.name for call in program.calls}


@pytest.mark.parametrize("how", BUILDS)
@pytest.mark.parametrize("case", CASES)
def test_traced_calls_are_found(case: int, how: str, cache: SummaryCache, tmp_path: Path) -> None:
    if case == 12 and how.startswith("musl"):
        return  # musl has no ifunc: no call to be found
    path = build(case, how, tmp_path)
    program = scanned(path, cache)
    assert names(program) >= CASES[case]
    assert not program.open
    seen = traced.trace([str(path)], tmp_path / "log")[str(path)]
    assert seen <= names(program)


@pytest.mark.parametrize("how", ["pie", "no-plt", "no-pie", "static", "musl", "musl-bare"])
@pytest.mark.parametrize("case", OPEN)
def test_unknown_numbers_are_reported_open(
    case: int, how: str, cache: SummaryCache, tmp_path: Path
) -> None:
    program = scanned(build(case, how, tmp_path), cache)
    assert program.open and not program.whole


@pytest.mark.parametrize("how", ["pie", "no-pie", "stripped"])
def test_unreferenced_functions_in_data_are_left_out(
    how: str, cache: SummaryCache, tmp_path: Path
) -> None:
    assert "fdatasync" not in names(scanned(build(7, how, tmp_path), cache))


def test_an_empty_program_needs_few(cache: SummaryCache, tmp_path: Path) -> None:
    source = tmp_path / "empty.c"
    source.write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-O2", "-o", tmp_path / "empty", source], check=True, timeout=60)
    assert len(scanned(tmp_path / "empty", cache).calls) <= 30


def test_a_chain_leads_from_the_entry_to_the_call(cache: SummaryCache, tmp_path: Path) -> None:
    program = scanned(build(3, "pie", tmp_path), cache)
    chain = next(call.chain for call in program.calls if call.name == "getpgid")
    assert chain[0] == "the program's entry"
    assert [each.split(":")[1] for each in chain[1:]] == ["_start", "main"]  # it has the constants


def test_the_addend_of_a_linkage_slot_is_no_part_of_the_address(
    cache: SummaryCache, tmp_path: Path
) -> None:
    """`ld -z mark-plt` puts the stub's address there; Debian's libm is linked so."""
    library, program = tmp_path / "libone.so", tmp_path / "p"
    library.with_suffix(".c").write_text(
        "#include <unistd.h>\n"
        + "".join(f"int f{n}(void) {{ return {n}; }}\n" for n in range(99))
        + "int one(void) { return getsid(-1); }\n"
    )
    flags = ["-O2", "-Wl,-z,lazy,-z,mark-plt"]
    subprocess.run(
        ["gcc", *flags, "-shared", "-fPIC", "-o", library, library.with_suffix(".c")],
        check=True,
        timeout=60,
    )
    program.with_suffix(".c").write_text("int one(void); int main(void) { return one(); }\n")
    subprocess.run(
        ["gcc", *flags, "-o", program, program.with_suffix(".c"), library], check=True, timeout=60
    )
    assert "getsid" in names(scanned(program, cache))


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("mov $20, %eax; mov %rsp, %rbp; sysenter", "32-bit"),  # i386's getpid
        ("jmp 1f; .byte 0x48, 0xb8; 1: mov $123, %eax; syscall", "constant"),
        ('jmp 1f; .ascii "text\\0H\\xb8"; 1: mov $20, %eax; int $0x80', "32-bit"),
    ],
)
def test_calls_that_decoding_in_order_would_miss(
    code: str, why: str, cache: SummaryCache, tmp_path: Path
) -> None:
    """Calls of the other ABI, and those inside of another instruction's immediate."""
    source = tmp_path / "p.s"
    source.write_text(
        f".globl main\n.type main, @function\nmain: {code}\nret\n.size main, .-main\n"
    )
    subprocess.run(["gcc", "-o", tmp_path / "p", source], check=True, timeout=60)
    assert any(why in each.why for each in scanned(tmp_path / "p", cache).open)

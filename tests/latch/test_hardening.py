"""Hardening of the latch: program headers, and the capabilities and files of its tracer."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.latch.oci import SCRIPTS, Bundle, Runtime, case, created, status

MakeBundle = Callable[..., Bundle]

LOAD, INTERP, STACK, RELRO = 1, 3, 0x6474E551, 0x6474E552  # elf(5): p_type
DAC_OVERRIDE, KILL, SYS_PTRACE, SYS_ADMIN = 1, 5, 19, 21  # capabilities(7)
PROGRAMS = ["seclatch-runc", "seclatch-crun", "seclatch-apply", "seclatch-tighten"]
NEEDED = {DAC_OVERRIDE, KILL, SYS_PTRACE, SYS_ADMIN}
ENDBR64 = b"\xf3\x0f\x1e\xfa"


def segments(program: Path) -> Iterator[tuple[int, int, int, int]]:
    """Yield type, flags, address and size of each segment."""
    data = program.read_bytes()
    (offset,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for n in range(count):
        kind, flags, _, address, _, _, length = struct.unpack_from(
            "<IIQQQQQ", data, offset + n * size
        )
        yield kind, flags, address, length


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_program_is_a_static_pie_that_ends_its_own_relocations(name: str) -> None:
    program = SCRIPTS / name
    kinds = {kind: flags for kind, flags, _, _ in segments(program)}
    assert struct.unpack_from("<H", program.read_bytes(), 16) == (3,), "not ET_DYN"
    assert INTERP not in kinds
    assert RELRO in kinds
    assert not kinds[STACK] & 1, "the stack may be executed"
    assert all(flags & 3 != 3 for kind, flags, _, _ in segments(program) if kind == LOAD)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="CET is of x86")
def test_indirect_branches_lead_to_marked_places() -> None:
    """-fcf-protection: the compiler has the option, so the build must have used it."""
    assert (SCRIPTS / "seclatch-runc").read_bytes().count(ENDBR64) > 100


@pytest.fixture(params=["suspend", "gate"])
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECLATCH_MODE", request.param)


def capabilities(pid: int, which: str) -> set[int]:
    value = int(status(pid)[which], 16)
    return {number for number in range(64) if value >> number & 1}


@pytest.fixture
def hooked(bundle: MakeBundle) -> Bundle:
    rule = {"names": ["umask"], "action": "SCMP_ACT_ERRNO"}
    made = bundle(["/bin/exit42"], seccomp={"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]})
    made.config["hooks"] = {"startContainer": [{"path": "/bin/true"}]}
    made.write()
    return made


@pytest.mark.root
def test_a_waiting_tracer_has_only_what_it_uses(
    mode: None, latched: Runtime, bundle: MakeBundle
) -> None:
    with created(latched, bundle(["/bin/exit42"], seccomp=case("exit-only"))) as pid:
        tracer = int(status(pid)["TracerPid"])
        assert capabilities(tracer, "CapPrm") == NEEDED & capabilities(os.getpid(), "CapPrm")
        assert capabilities(tracer, "CapEff") == capabilities(tracer, "CapPrm")
        assert not capabilities(tracer, "CapInh") | capabilities(tracer, "CapAmb")
        assert list(Path(f"/proc/{tracer}/fd").iterdir()) == []
        assert Path(f"/proc/{tracer}/cwd").readlink() == Path("/")
        assert is_read_only(tracer)


def is_read_only(pid: int) -> bool:
    """Return whether the memory relocated at the program's start is read-only."""
    program = Path(f"/proc/{pid}/exe").resolve()
    maps = [
        line.split()
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines()
        if line.endswith(program.name)
    ]
    base = int(maps[0][0].partition("-")[0], 16)
    ((start, size),) = [(a, n) for kind, _, a, n in segments(program) if kind == RELRO]
    for words in maps:
        first, last = (int(word, 16) - base for word in words[0].split("-"))
        if first <= start and start + size - 1 < last:
            return words[1] == "r--p"
    return False


@pytest.mark.root
def test_with_a_hook_it_keeps_the_hook_s_capabilities(
    mode: None, latched: Runtime, hooked: Bundle
) -> None:
    """The kernel decides what a process with all of them may do to the runtime's init."""
    with created(latched, hooked) as pid:
        tracer = int(status(pid)["TracerPid"])
        assert capabilities(tracer, "CapPrm") == capabilities(os.getpid(), "CapPrm")
        assert latched("start", hooked.id).returncode == 0


@pytest.mark.root
def test_a_hook_named_by_a_json_escape_does_not_run(
    mode: None, latched: Runtime, hooked: Bundle
) -> None:
    """The latch does not decode escapes in JSON strings, and the runtime does."""
    file = hooked.path / "config.json"
    file.write_text(file.read_text().replace("startContainer", "start\\u0043ontainer"))
    done = refuse(latched, hooked)
    assert done.returncode not in (0, 42)
    assert "a startContainer hook runs that the configuration does not name" in done.stderr


def refuse(latched: Runtime, made: Bundle) -> subprocess.CompletedProcess[str]:
    done: Any = latched("run", "--bundle", made.path, made.id)
    latched("delete", "--force", made.id)
    return done

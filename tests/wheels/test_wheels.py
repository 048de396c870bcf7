"""The wheels: programs for the right machine, static, small, reproducible, working."""

from __future__ import annotations

import importlib.util
import os
import shutil
import struct
import subprocess
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
WHEELS = sorted(Path(os.environ.get("SECLATCH_WHEELS", "none")).glob("*.whl"))
MAX_SIZE = 200_000

# ELF: e_machine (<linux/elf-em.h>), bits, byte order
MACHINES = {
    "x86_64": (62, 64, "<"),
    "aarch64": (183, 64, "<"),
    "armv7l": (40, 32, "<"),
    "riscv64": (243, 64, "<"),
    "s390x": (22, 64, ">"),
    "ppc64le": (21, 64, "<"),
}
EMULATORS = {"armv7l": "arm"}  # the other names equal those in wheels
PT_INTERP, PT_GNU_STACK, PT_GNU_RELRO, EXECUTABLE = 3, 0x6474E551, 0x6474E552, 1
ET_DYN = 3


class Program(NamedTuple):
    machine: int
    bits: int
    order: str
    kind: int
    segments: dict[int, int]  # type → flags


def platform(wheel: Path) -> str:
    return next(name for name in MACHINES if wheel.stem.endswith(f"_{name}"))


def read(content: bytes) -> Program:
    assert content[:4] == b"\x7fELF"
    bits, order = 32 * content[4], "<" if content[5] == 1 else ">"
    (machine,) = struct.unpack_from(f"{order}H", content, 18)
    where, size, count = (32, 54, 56) if bits == 64 else (28, 42, 44)
    (start,) = struct.unpack_from(f"{order}{'Q' if bits == 64 else 'I'}", content, where)
    (entry,) = struct.unpack_from(f"{order}H", content, size)
    (number,) = struct.unpack_from(f"{order}H", content, count)
    headers = [start + entry * index for index in range(number)]
    flags = 4 if bits == 64 else 24
    segments = {
        struct.unpack_from(f"{order}I", content, at)[0]: struct.unpack_from(
            f"{order}I", content, at + flags
        )[0]
        for at in headers
    }
    (kind,) = struct.unpack_from(f"{order}H", content, 16)
    return Program(machine, bits, order, kind, segments)


def programs(wheel: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if ".data/scripts/" in name:
                yield name.rpartition("/")[2], archive.read(name)


def test_wheels_exist() -> None:
    assert {platform(wheel) for wheel in WHEELS} >= {"x86_64", "aarch64"}


@pytest.mark.parametrize("wheel", WHEELS, ids=platform)
def test_its_programs_are_for_its_platform_only(wheel: Path) -> None:
    found = dict(programs(wheel))
    assert {"seclatch-runc", "seclatch-crun", "seclatch-apply", "seclatch-tighten"} == set(found)
    assert "-py3-none-" in wheel.name
    assert "manylinux" in wheel.name
    assert "musllinux" in wheel.name
    for name, content in found.items():
        program = read(content)
        assert program[:3] == MACHINES[platform(wheel)], name
        assert PT_INTERP not in program.segments, f"{name} is not static"
        assert program.kind == ET_DYN, f"{name} is not position-independent"
        assert PT_GNU_RELRO in program.segments
        assert not program.segments[PT_GNU_STACK] & EXECUTABLE
        assert len(content) < MAX_SIZE
        for result in (str(ROOT).encode(), os.fsencode(Path.home()), b"ziglang"):
            assert result not in content, f"{name} tells of the machine that built it"


@pytest.mark.parametrize("wheel", WHEELS, ids=platform)
def test_its_programs_run(wheel: Path, tmp_path: Path) -> None:
    """QEMU's user emulation has no ptrace: commands that start nothing are passed on."""
    emulator = f"qemu-{EMULATORS.get(platform(wheel), platform(wheel))}"
    for name, content in programs(wheel):
        program = tmp_path / name
        program.write_bytes(content)
        program.chmod(0o755)
        wanted = f"{name.removeprefix('seclatch-')} version"
        words = ["--version"]
        if name in ("seclatch-apply", "seclatch-tighten"):
            words, wanted = ["--help"], f"Usage: {name}"
        done = subprocess.run(
            [emulator, program, *words], capture_output=True, text=True, check=True
        )
        assert wanted in done.stdout


def builder() -> object:
    spec = importlib.util.spec_from_file_location("wheels", ROOT / "tools/wheels.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["x86_64", "aarch64"])
def test_another_folder_gives_the_same_bytes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Built again from a copy elsewhere, with the time of the same commit."""
    wheel = next(each for each in WHEELS if platform(each) == name)
    module = builder()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", module.committed(ROOT))  # type: ignore[attr-defined]
    copy = tmp_path / "copy"
    ignored = shutil.ignore_patterns(".venv", ".git", "build", "dist", "__pycache__", "tests")
    shutil.copytree(ROOT, copy, ignore=ignored)
    again = module.build(name, tmp_path / "out", copy)  # type: ignore[attr-defined]
    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="installs the x86-64 wheel")
def test_it_installs_and_works_in_a_clean_environment(tmp_path: Path) -> None:
    wheel = next(each for each in WHEELS if platform(each) == "x86_64")
    venv.create(tmp_path / "env", with_pip=True)
    scripts = tmp_path / "env/bin"
    install = [scripts / "pip", "install", "-q", "--disable-pip-version-check", wheel]
    subprocess.run(install, check=True)
    environment = {"PATH": f"{scripts}:/usr/sbin:/usr/bin"}
    message = subprocess.run(
        [scripts / "seclatch", "--version"],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    ).stdout
    assert "seclatch" in message
    bare, fronted = (
        subprocess.run([program, "--version"], check=True, capture_output=True, env=environment)
        for program in ("runc", scripts / "seclatch-runc")
    )
    assert fronted.stdout == bare.stdout
    if os.geteuid() == 0:
        run = [scripts / "seclatch", "run", "--profile", ROOT / "tests/data/stali-like.json"]
        command = [*run, "--", "grep", "^Seccomp:", "/proc/self/status"]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        assert done.stdout.split() == ["Seccomp:", "2"]

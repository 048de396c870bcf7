"""Build the C code by itself with the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

NATIVE = Path(__file__).parent.parent.parent / "native"
SANITIZED = [
    "gcc",
    "-g",
    "-O1",
    "-D_GNU_SOURCE",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-Wall",
    "-Wextra",
    "-Werror",
    f"-I{NATIVE}",
]


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("native") / "probe"
    sources = [p for p in NATIVE.glob("*.c") if p.name != "main.c"]
    source = Path(__file__).with_name("probe.c")
    subprocess.run([*SANITIZED, "-o", program, source, *sources], check=True)
    return program

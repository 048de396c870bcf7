"""Replay the fuzzing corpora (`make fuzz`) under the sanitizers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.fuzz.bpf import try_bytes
from tests.native.conftest import NATIVE, SANITIZED

FUZZ = Path(__file__).parents[1] / "fuzz"


def corpus(target: str) -> list[Path]:
    return sorted((FUZZ / "corpus" / target).iterdir())


@pytest.mark.parametrize("target", ["argv", "bundle", "gate"])
def test_the_latch_s_decoders(target: str, tmp_path: Path) -> None:
    program = tmp_path / target
    sources = [FUZZ / f"{target}.c", FUZZ / "replay.c", NATIVE / f"{target}.c"]
    subprocess.run([*SANITIZED, "-o", program, *sources], check=True)
    subprocess.run([program, *corpus(target)], check=True)


def test_the_decoder_of_filters() -> None:
    for each in corpus("bpf"):
        try_bytes(each.read_bytes())

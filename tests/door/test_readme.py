"""Paste the README's blocks, in their order, into a root shell of a bare Debian."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.door.bare_root import BareRoot

ROOT = Path(__file__).parents[2]
SUITES = os.environ.get("SECLATCH_SUITES", "trixie").split()

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# The plain runtime fails at the call that the filter denies first. On a busy machine that may be
# one of the Go runtime's threads, which ends in a crash instead of the shown message.
TRIES = 20


class Step(NamedTuple):
    """A command, and the output that the page shows (None: the page shows none)."""

    command: str
    shown: str | None


def steps(text: str) -> Iterator[Step]:
    """Read the commands of a page, in their order."""
    for language, block in FENCE.findall(text):
        if language == "sh":
            yield from (Step(line, None) for line in block.splitlines())
        else:
            assert language == "console", f"a block that cannot be pasted: {block}"
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, _, shown = part.partition("\n")
                yield Step(command, shown)


@pytest.fixture(params=SUITES)
def bare_root(request: pytest.FixtureRequest) -> Iterator[BareRoot]:
    if not shutil.which("mmdebstrap"):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("mmdebstrap is not installed")
    root = BareRoot(request.param)
    try:
        yield root.start()
    finally:
        root.close()


@pytest.mark.root
@pytest.mark.engine
@pytest.mark.timeout(900)
def test_every_block_works_when_pasted(bare_root: BareRoot) -> None:
    for step in steps((ROOT / "README.md").read_text()):
        status, output = bare_root.paste(step.command)
        for _ in range(TRIES if "--plain" in step.command else 0):
            if output == step.shown:
                break
            status, output = bare_root.paste(step.command)
        if step.shown is not None:
            assert output == step.shown, step.command
        elif step.command.startswith("seclatch explain"):  # the command's own status
            assert status not in (0, 2) and "what to do" in output, f"{step.command}\n{output}"
        else:
            differ = step.command.startswith("seclatch profile diff")
            assert status == (1 if differ else 0), f"{step.command}\n{output}"
            assert "Traceback" not in output and "internal error" not in output, output


@pytest.mark.parametrize(("target", "words"), [("demo", "under a minute"), ("test", "20 minutes")])
def test_make_prints_how_long_it_takes(target: str, words: str) -> None:
    planned = subprocess.run(
        ["make", "--always-make", "--dry-run", target],
        cwd=ROOT,
        # `make test T=...` gives its T on
        env={name: value for name, value in os.environ.items() if name[:4] != "MAKE"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert words in next(line for line in planned.splitlines() if line.startswith("echo"))


def test_blocks_are_parsed() -> None:
    text = "x\n```sh\na  # b\nc\n```\ny\n```console\n$ d\n1\n2\n$ e\n```\n"
    assert list(steps(text)) == [
        Step("a  # b", None),
        Step("c", None),
        Step("d", "1\n2\n"),
        Step("e", ""),
    ]

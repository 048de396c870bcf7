"""The listings of docs/profile.md and docs/filters.md equal the commands' present output."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from seclatch.system.libseccomp import format_version

DOCS = Path(__file__).parents[2] / "docs"
FILE = re.compile(r"`([\w-]+\.(?:json|txt))`:\s*\Z")

# The pages state that these come from strict.json; the commands are on the other page.
COMPILED = {"strict.bpf": "crun", "strict-runc.bpf": "runc"}


def parts(page: str) -> Iterator[tuple[str, str]]:
    """Yield each command with its output, and each file (name, content), in their order."""
    text = (DOCS / page).read_text()
    pieces = re.split(r"^```\w*\n", text, flags=re.M)
    for before, block in zip(pieces[::2], pieces[1::2], strict=False):
        first, *others = re.split(r"^\$ ", block, flags=re.M)
        if first and (file := FILE.search(before)):
            yield file[1], first
        for shown in others:
            command, _, output = shown.partition("\n")
            printed = re.fullmatch(r"cat ([\w-]+\.json)", command)
            yield (printed[1] if printed else f"$ {command}", output)


def run(command: str, folder: Path) -> str:
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    env = os.environ | {"PATH": path, "NO_COLOR": "1", "COLUMNS": "200"}
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=env,
        text=True,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.stdout


@pytest.mark.skipif(
    platform.machine() != "x86_64" or format_version() != "2.6.0",
    reason="the pages show x86-64 and libseccomp 2.6.0",
)
@pytest.mark.parametrize("page", ["profile.md", "filters.md"])
def test_the_listings_equal_the_output(page: str, tmp_path: Path) -> None:
    commands = 0
    for name, shown in parts(page):
        if not name.startswith("$ "):
            (tmp_path / name).write_text(shown)
            if name == "strict.json":
                for file, runtime in COMPILED.items():
                    run(f"seclatch profile compile --runtime {runtime} {name} -o {file}", tmp_path)
            continue
        commands += 1
        assert run(name[2:], tmp_path) == shown, name
    assert commands >= 4

"""The man pages equal the commands' help."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def man() -> ModuleType:
    spec = importlib.util.spec_from_file_location("man", ROOT / "tools" / "man.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["man"] = module
    spec.loader.exec_module(module)
    return module


def test_the_pages_are_those_of_the_commands(man: ModuleType) -> None:
    kept = {file.name: file.read_text() for file in (ROOT / "docs" / "man").glob("*.1")}
    made = man.pages()
    stale = sorted(name for name in {*kept, *made} if kept.get(name) != made.get(name))
    assert not stale, f"these are not what --help says any more: {stale}; run `make man`"


def test_a_reader_of_man_pages_finds_nothing_wrong() -> None:
    if not shutil.which("mandoc"):
        pytest.skip("not installed: mandoc")
    files = sorted((ROOT / "docs" / "man").glob("*.1"))
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    # A date would change with each build of the pages; their footer has the version.
    wrong = [line for line in done.stdout.splitlines() if "missing date" not in line]
    assert wrong == []


def test_pages_are_named_by_the_typed_command(man: ModuleType) -> None:
    """A command's own arguments are not in the names of those below it."""
    assert "seclatch-record-merge.1" in man.pages()
    assert all(re.fullmatch(r"seclatch(-[a-z]+)*\.1", name) for name in man.pages())


def test_every_page_has_the_sections_of_help() -> None:
    page = (ROOT / "docs" / "man" / "seclatch-report.1").read_text()
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "SEE ALSO"):
        assert f".SH {section}\n" in page
    assert r"\fB\-o, \-\-output FILE\fR" in page
    assert r"\fB\-h, \-\-help\fR" in page

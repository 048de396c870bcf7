"""`profile example`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from seclatch.cli.profile.check import command as check
from seclatch.cli.profile.example import command
from seclatch.data import DATA
from seclatch.profile.curated.example_profiles import EXAMPLES


def test_every_file_is_listed() -> None:
    listed = CliRunner().invoke(command, []).output.splitlines()
    assert {line.split()[0] for line in listed} == set(EXAMPLES)
    assert {file.stem for file in (DATA / "examples").glob("*.json")} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_profile_without_errors(name: str, tmp_path: Path) -> None:
    file = tmp_path / "example.json"
    assert CliRunner().invoke(command, [name, "-o", str(file)]).exit_code == 0
    assert file.read_bytes() == CliRunner().invoke(command, [name]).stdout_bytes
    assert "error" not in CliRunner().invoke(check, [str(file)]).output


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    refused = CliRunner().invoke(command, ["stirct"])
    assert refused.exit_code == 2
    assert all(name in refused.output for name in EXAMPLES)

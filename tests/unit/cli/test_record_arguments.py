"""What is parsed without click is what click would parse."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.cli.record import command
from seclatch.cli.record.plain_arguments import COMMANDS, parse_plain
from seclatch.cli.record.record_to_file import RecordArguments

WORDS = st.one_of(
    st.sampled_from(
        ["-q", "--quiet", "--follow", "-o", "--output", "--", "-", "", "-oq", "--output=a", "-qo"]
    ),
    st.sampled_from(["--help", "--seconds", "1", "--pod", "a/b", "-h", "--fol", *COMMANDS]),
    st.sampled_from(["x.json", "/", "/dev/null", "/etc/passwd", "no/such/directory", "\u00e9"]),
    st.text(alphabet="-oqabc=", max_size=4),
)


def parse_by_click(words: list[str]) -> RecordArguments:
    """Parse as the command line does. Raises click.ClickException, click.exceptions.Exit."""
    found = command.make_context("record", list(words)).params
    assert found.pop("pod") is None
    return RecordArguments(**found)


@given(st.lists(WORDS, max_size=6))
def test_click_parses_the_same(words: list[str]) -> None:
    plain = parse_plain(["record", *words])
    if plain is not None:
        assert words[0] not in COMMANDS
        assert plain == parse_by_click(words)


@given(st.lists(st.text(), max_size=6))
def test_any_text_is_parsed_alike(words: list[str]) -> None:
    plain = parse_plain(["record", *words])
    if plain is not None:
        assert plain == parse_by_click(words)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("true", RecordArguments(args=("true",))),
        ("-q -o a.json -- ls -q", RecordArguments(Path("a.json"), quiet=True, args=("ls", "-q"))),
        ("--follow -- merge", RecordArguments(follow=True, args=("merge",))),
        ("-- -- x", RecordArguments(args=("--", "x"))),
    ],
)
def test_usual_lines_need_no_click(line: str, expected: RecordArguments) -> None:
    assert parse_plain(["record", *line.split()]) == expected


@pytest.mark.parametrize(
    "line",
    [
        "",
        "-q",
        "merge a",
        "-h",
        "--seconds 3 -- ls",
        "-o / ls",
        "-o",
        "-o --follow ls",
        "--nope ls",
    ],
)
def test_everything_else_is_left_to_click(line: str) -> None:
    assert parse_plain(["record", *line.split()]) is None


def test_other_commands_and_completion_are_left_to_click(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_plain(["run", "ls"]) is None
    assert parse_plain([]) is None
    monkeypatch.setenv("_SECLATCH_COMPLETE", "bash_complete")
    assert parse_plain(["record", "ls"]) is None


def test_an_unreadable_file_is_left_to_click(tmp_path: Path) -> None:
    """click.Path refuses it, and so does this."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "missing")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (link, pipe, tmp_path):
        assert parse_plain(["record", "-o", str(path), "ls"]) is None
    assert click.Path(dir_okay=False).convert(str(link), None, None) == str(link)


def test_defaults_are_those_of_click() -> None:
    assert parse_by_click(["ls"]) == RecordArguments(args=("ls",))

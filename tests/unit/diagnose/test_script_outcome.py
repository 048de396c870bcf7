"""What the failure of a command does to its script, by the script's text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.diagnose.failure.script_outcome import EndedCommand, Outcome, judge_command

MKDIR = ("mkdir", "x")


@pytest.mark.parametrize(
    ("script", "status", "outcome"),
    [
        ("mkdir x", 1, Outcome.ENDS),
        ("mkdir x || exit 3", 3, Outcome.ENDS),
        ("mkdir x || { echo no >&2; exit 3; }", 3, Outcome.ENDS),
        ("if ! mkdir x; then exit 3; fi", 3, Outcome.ENDS),
        ("if /bin/mkdir x; then echo; else echo no; exit 3; fi", 3, Outcome.ENDS),
        ('die() { echo "$1" >&2; exit 3; }; mkdir x || die "cannot go on"', 3, Outcome.ENDS),
        ("set -e; mkdir x; echo never", 1, Outcome.ENDS),
        ("set -eu\nmkdir x\nexec app", 1, Outcome.ENDS),
        ("mkdir x && cp a b && echo", 1, Outcome.ENDS),
        ("mkdir x || false", 1, Outcome.ENDS),
        ("mkdir x; exit $?", 1, Outcome.ENDS),
        ("mkdir x || echo no cache; false", 1, Outcome.IGNORED),
        ("mkdir x 2>/dev/null; test -f /license", 1, Outcome.IGNORED),
        ("mkdir x; exit 3", 3, Outcome.IGNORED),
        ("mkdir x && cp a b; exit 1", 1, Outcome.IGNORED),
        ("mkdir x || { echo no; }\nfalse", 1, Outcome.IGNORED),
        ("set -e; set +e; mkdir x; false", 1, Outcome.IGNORED),
        ("mkdir x || exit 4; exit 3", 3, Outcome.UNKNOWN),
        ("mkdir x\nret=$?\nif [ $ret -ne 0 ]; then exit 1; fi", 1, Outcome.UNKNOWN),
        ("for i in a b; do mkdir x; done", 1, Outcome.UNKNOWN),
        ("mkdir x | cat", 1, Outcome.UNKNOWN),
        ("mkdir y; cat z", 1, Outcome.UNKNOWN),
        ("for d in a b; do mkdir $d; done; exit 3", 3, Outcome.IGNORED),
        ("for d in a b; do mkdir $d || exit 4; done; exit 3", 3, Outcome.UNKNOWN),
        ("f() { mkdir x || exit 3; }; f; exit 3", 3, Outcome.UNKNOWN),
        ("mkdir 'x; exit 3", 3, Outcome.UNKNOWN),
        ("# mkdir x\necho", 1, Outcome.UNKNOWN),
    ],
)
def test_outcomes(script: str, status: int, outcome: Outcome) -> None:
    assert judge_command(script, False, EndedCommand(MKDIR, 1, status)).outcome is outcome


def test_started_with_errexit() -> None:
    ended = EndedCommand(MKDIR, 1, 1)
    assert judge_command("mkdir x; false", True, ended).outcome is Outcome.ENDS


def test_what_comes_later_is_kept() -> None:
    found = judge_command("mkdir x; cat x/f", False, EndedCommand(MKDIR, 1, 1))
    assert found.later == "cat x/f"


@given(st.text(alphabet="mkdirx ;&|\n(){}!'\"$?#\\ithenfels01", max_size=60))
def test_any_text_has_an_outcome(script: str) -> None:
    assert judge_command(script, False, EndedCommand(MKDIR, 1, 1)).outcome in Outcome

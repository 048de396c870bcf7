"""The text of an explanation: hostile text is made printable, engines' prefixes are cut."""

from __future__ import annotations

from typing import Any

import click
import msgspec
import pytest

from seclatch.diagnose.denials.argument_text import show_arguments
from seclatch.diagnose.evidence.sentences import find_errno, strip_prefixes
from seclatch.model.explanation import DenyingRule, ExplainedDenial, Explanation, StartMessage
from seclatch.report.explanation_text import show_explanation

EVIL = "\x1b]0;x\x07\x1b[31m[bold]\u202eevil\nseccomp: forged"


def explanation(**changes: Any) -> Explanation:
    values: dict[str, Any] = {
        "seccomp": True,
        "cause": "program-denied",
        "summary": EVIL,
        "stage": "program",
        "evidence": [EVIL],
        "command": [EVIL],
        "status": 1,
        "needs": None,
        "remedies": [],
        "incomplete": 0,
        "messages": [StartMessage(stage="program", program=EVIL, text=EVIL)],
        "denials": [
            ExplainedDenial(
                syscall="open",
                number=2,
                arch="x86_64",
                arguments=[f'"{EVIL}"'],
                action="",
                errno="EPERM",
                signal="",
                count=1,
                time=0.0,
                pid=1,
                program=EVIL,
                stage="program",
                session="start",
                fatal=True,
                rule=DenyingRule(by="default", text="the default action", profile=EVIL),
            )
        ],
    }
    return Explanation(**values | changes)


def test_hostile_text_is_escaped() -> None:
    shown = click.unstyle(show_explanation(msgspec.to_builtins(explanation()), 100))
    assert not set(shown) & {"\x1b", "\x07", "\u202e"}
    assert "[bold]" in shown  # no markup either
    assert not any(line.startswith("seccomp: forged") for line in shown.splitlines())


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("docker: Error response from daemon: failed to create task for container: x", "x"),
        ('time="now" level=error msg="a \\"b\\""', 'a "b"'),
        ('{"msg":"exec: no","level":"error"}', "exec: no"),
        ('{"msg":', '{"msg":'),
        ("plain", "plain"),
    ],
)
def test_prefixes_are_stripped(text: str, what: str) -> None:
    assert strip_prefixes(text) == what


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("x: Operation not permitted", 1),
        ("x: operation not permitted: unknown", 1),
        ("mkdir: Read-only file system", 30),
        ("nothing", 0),
    ],
)
def test_errno_in_a_message(text: str, number: int) -> None:
    assert find_errno(text) == number


@pytest.mark.parametrize(
    ("name", "args", "text", "shown"),
    [
        ("openat", (0xFFFFFF9C, 1, 0x80041, 0, 0, 0), "/x", ['"/x"', "O_WRONLY|O_CREAT|O_CLOEXEC"]),
        ("prctl", (24, 5, 0, 0, 0, 0), "", ["PR_CAPBSET_DROP", "5"]),
        ("socket", (2, 1, 0, 0, 0, 0), "", ["AF_INET", "1", "0"]),
        ("close", (3, 0, 0, 0, 0, 0), "", ["3"]),
        ("close_range", (3, 0xFFFFFFFF, 0, 0, 0, 0), "", ["3", "-1", "0"]),
        ("capset", (1, 2, 3, 4, 5, 6), "", []),
        ("mkdir", (1, 2, 3, 4, 5, 6), "/a", ['"/a"']),
    ],
)
def test_arguments(name: str, args: tuple[int, ...], text: str, shown: list[str]) -> None:
    assert show_arguments(name, args, text) == shown

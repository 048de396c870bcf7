"""`--confirm` alone, with a mode, and as another command's own word."""

from __future__ import annotations

import pytest

from seclatch.cli.explain import command
from seclatch.cli.shared.optional_value import join_value


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        ("--confirm -- ls", "--confirm=always -- ls"),
        ("--confirm docker run x", "--confirm=always docker run x"),
        ("--confirm never -- ls", "--confirm=never -- ls"),
        ("--confirm auto --json ls", "--confirm=auto --json ls"),
        ("--confirm=never ls", "--confirm=never ls"),
        ("-v --confirm", "-v --confirm=always"),
        ("-o never --confirm -- ls", "-o never --confirm=always -- ls"),
        ("-o --confirm ls", "-o --confirm ls"),
        ("--output --confirm --confirm ls", "--output --confirm --confirm=always ls"),
        ("--seconds 3 --confirm ls --confirm", "--seconds 3 --confirm=always ls --confirm"),
        ("ls --confirm never", "ls --confirm never"),
        ("-- ls --confirm", "-- ls --confirm"),
        ("", ""),
        ("-o", "-o"),
    ],
)
def test_where_the_value_is(given: str, parsed: str) -> None:
    found = list(join_value(command, given.split(), "--confirm", "always"))
    assert found == parsed.split()

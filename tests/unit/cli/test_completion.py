"""What shells complete: subcommands, containers, processes, profiles."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from seclatch.cli.main import cli
from seclatch.process import list_containers


def complete(words: str, kind: type[ShellComplete] = BashComplete) -> list[str]:
    *before, last = words.split(" ")
    shell = kind(cli, {}, "seclatch", "_SECLATCH_COMPLETE")
    return [item.value for item in shell.get_completions(before, last)]


@pytest.fixture
def containers(monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> Iterator[tuple[str, str]]:
        yield from [("web", "nginx"), ("worker", "")]
        yield from [(name, "") for name in ("w\x1b[2J", "w x", "w;id;#", "w$(id)")]

    monkeypatch.setattr(list_containers, "list_containers", found)


@pytest.mark.usefixtures("containers")
@pytest.mark.parametrize("kind", [BashComplete, ZshComplete, FishComplete])
@pytest.mark.parametrize(
    "words",
    ["ps --container w", "watch --container w", "record --container w", "filter of w", "filter w"],
)
def test_containers(words: str, kind: type[ShellComplete]) -> None:
    assert complete(words, kind) == ["web", "worker"]


@pytest.mark.usefixtures("containers")
def test_a_name_that_a_terminal_or_shell_acts_on_is_left_out() -> None:
    assert complete("ps --container ") == ["web", "worker"]


@pytest.mark.usefixtures("containers")
def test_processes() -> None:
    pid = str(os.getpid())
    assert pid in complete(f"ps --pid {pid[:2]}")
    assert pid in complete(f"filter of {pid}")


def test_profiles() -> None:
    assert complete("profile diff docker-d") == ["docker-default"]
    assert complete("profile test strict.j") == ["strict.j"]  # the shell completes files


def test_an_engine_that_fails_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Iterator[tuple[str, str]]:
        raise PermissionError

    monkeypatch.setattr(list_containers, "list_containers", fail)
    assert complete("ps --container w") == []

"""The hint for missing packages depends on how seclatch was installed."""

from __future__ import annotations

import importlib.util
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from seclatch.runtime.installation import SCAN_PACKAGES, command_to_add

ROOT = Path(__file__).parents[3]


def test_the_packages_are_those_of_the_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = project["optional-dependencies"]["scan"]
    assert [each.partition(">=")[0] for each in extra] == list(SCAN_PACKAGES)


@pytest.mark.parametrize(
    ("home", "variable", "command"),
    [
        (".local/share/pipx", None, "pipx inject seclatch numpy"),
        (".local/pipx", None, "pipx inject seclatch numpy"),
        ("opt/pipx", None, "PIPX_HOME={home}/opt/pipx pipx inject seclatch numpy"),
        (
            ".local/share/pipx",
            "/elsewhere",
            "PIPX_HOME={home}/.local/share/pipx pipx inject seclatch numpy",
        ),
    ],
)
def test_pipx(
    home: str, variable: str | None, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = tmp_path / home / "venvs" / "seclatch"
    prefix.mkdir(parents=True)
    (prefix / "pipx_metadata.json").touch()
    monkeypatch.setattr(sys, "prefix", str(prefix))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PIPX_HOME", raising=False)
    if variable:
        monkeypatch.setenv("PIPX_HOME", variable)
    assert command_to_add("numpy") == command.format(home=tmp_path)


def test_a_virtual_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/srv/my env")
    monkeypatch.setattr(sys, "executable", "/srv/my env/bin/python")
    assert command_to_add("a", "b") == "'/srv/my env/bin/python' -m pip install a b"


@pytest.mark.parametrize("managed", [True, False])
def test_the_system_s_python(
    managed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if managed:
        (tmp_path / "EXTERNALLY-MANAGED").touch()
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setattr(sys, "prefix", "/usr")
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert ("--break-system-packages" in command_to_add("a")) == managed


def test_an_environment_without_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian 12's package has one."""
    monkeypatch.setattr(sys, "prefix", "/usr/lib/seclatch")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert command_to_add("a") == "pipx install seclatch && pipx inject seclatch a"

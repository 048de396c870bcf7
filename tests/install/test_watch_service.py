"""The service of `watch`: written, removed again, and what its command line may hold."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from seclatch.cli.main import cli
from seclatch.engines.installation.file_change import apply_steps
from seclatch.engines.installation.host_root import HostRoot
from seclatch.engines.services import watch_service
from seclatch.engines.services.systemd_unit import SystemctlStep, quote_word
from seclatch.engines.services.watch_service import (
    LINK,
    UNIT,
    make_unit,
    plan_service,
    plan_service_removal,
    refuse_replaceable,
)
from seclatch.errors import SeclatchError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "etc/systemd/system/multi-user.target.wants").mkdir(parents=True)
    return tmp_path


def list_files(tree: Path) -> list[str]:
    return sorted(str(path.relative_to(tree)) for path in tree.rglob("*") if not path.is_dir())


def test_installing_and_undoing(tree: Path) -> None:
    root = HostRoot(tree)
    apply_steps(plan_service(root, ["--cheap"]).steps)
    assert list_files(tree) == sorted([UNIT[1:], LINK[1:]])
    unit = (tree / UNIT[1:]).read_text()
    assert " watch --quiet -o /var/log/seclatch/denials.json --cheap\n" in unit
    assert (tree / LINK[1:]).readlink() == Path(UNIT)
    assert plan_service(root, ["--cheap"]).steps == []
    assert [step.describe() for step in plan_service(root, []).steps] == [
        f"change {tree}{UNIT} (the service that watches denials)"
    ]
    apply_steps(plan_service_removal(root).steps)
    assert list_files(tree) == []
    assert plan_service_removal(root).steps == []


def test_a_program_that_the_service_does_not_see(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Path("/tmp/venv/bin/python")
    monkeypatch.setattr(watch_service, "_list_executed", lambda: [program])
    with pytest.raises(SeclatchError, match=f"does not see {program}") as caught:
        plan_service(HostRoot(Path("/")), [])
    assert "pipx" in caught.value.remedy


def test_the_command_line(tree: Path) -> None:
    runner = CliRunner()
    words = ["install", "watch", "--root", str(tree), "--metrics", "9475"]
    dry = runner.invoke(cli, [*words, "--dry-run"])
    assert dry.exit_code == 0 and "+ExecStart=" in dry.output and list_files(tree) == []
    assert runner.invoke(cli, words).exit_code == 0
    assert "AF_INET" in (tree / UNIT[1:]).read_text()
    done = runner.invoke(cli, ["uninstall", "watch", "--root", str(tree), "--json"])
    assert done.exit_code == 0 and '"service": "watch"' in done.output
    assert list_files(tree) == []


def test_a_bad_address_is_refused_at_once(tree: Path) -> None:
    with pytest.raises(SeclatchError, match="not an address"):
        CliRunner().invoke(
            cli,
            ["install", "watch", "--root", str(tree), "--metrics", "x"],
            catch_exceptions=False,
        )
    assert list_files(tree) == []


@pytest.mark.parametrize("content", [None, "{", '{"defaultAction": "SCMP_ACT_NONE"}'])
def test_a_profile_that_cannot_be_read_is_refused_at_once(
    tree: Path, content: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_service, "_PRIVATE", ())
    profile = tree / "profile.json"
    words = ["install", "watch", "--root", str(tree), "--profile", str(profile)]
    if content is not None:
        profile.write_text(content)
    with pytest.raises(SeclatchError, match=r"profile\.json"):
        CliRunner().invoke(cli, words, catch_exceptions=False)
    assert not (tree / UNIT[1:]).exists()
    profile.write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')
    assert CliRunner().invoke(cli, words).exit_code == 0
    assert f"--profile {profile}" in (tree / UNIT[1:]).read_text()


@pytest.mark.parametrize("folder", ["/tmp", "/var/tmp"])
def test_a_profile_that_the_service_does_not_see_is_refused(folder: str) -> None:
    with pytest.raises(SeclatchError, match="does not see") as raised:
        watch_service.refuse_temporary(Path(folder) / "x" / "a.json")
    assert "/etc/seclatch/a.json" in str(raised.value.remedy)
    watch_service.refuse_temporary(Path("/etc/seclatch/a.json"))


def test_what_is_kept_is_named(tree: Path) -> None:
    root = HostRoot(tree)
    apply_steps(plan_service(root, []).steps)
    for folder in ("var/log/seclatch", "var/cache/seclatch"):
        (tree / folder).mkdir(parents=True)
    assert plan_service_removal(root).notes == [
        f"the log is kept: {tree}/var/log/seclatch",
        f"the cache is kept: {tree}/var/cache/seclatch (rm -r removes it)",
    ]


def test_another_file_of_that_name_is_left_alone(tree: Path) -> None:
    (tree / UNIT[1:]).write_text("[Service]\n")
    with pytest.raises(SeclatchError, match="has not written it"):
        plan_service(HostRoot(tree), [])
    with pytest.raises(SeclatchError, match="has not written it"):
        plan_service_removal(HostRoot(tree))


def test_a_host_without_systemd_is_named(tmp_path: Path) -> None:
    with pytest.raises(SeclatchError, match="does not run systemd"):
        plan_service(HostRoot(tmp_path), [])


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("/etc/a.json", "/etc/a.json"),
        ("a b", '"a b"'),
        ('a"b', '"a\\"b"'),
        ("50%n", '"50%%n"'),
        ("$HOME", '"$$HOME"'),
        ("a\\b", '"a\\\\b"'),
        ("", '""'),
        (";", '";"'),
    ],
)
def test_words_of_a_command_line(word: str, quoted: str) -> None:
    assert quote_word(word) == quoted


def test_a_newline_is_refused() -> None:
    with pytest.raises(SeclatchError, match="control character"):
        make_unit(["--profile", "/tmp/a\nExecStartPre=/bin/sh"])


def test_what_others_can_replace_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "python3"
    program.touch()
    refuse_replaceable(program)
    program.chmod(0o777)
    with pytest.raises(SeclatchError, match="changed by others"):
        refuse_replaceable(program)
    program.chmod(0o755)
    tmp_path.chmod(0o777)
    with pytest.raises(SeclatchError, match="changed by others"):
        refuse_replaceable(program)


def test_systemctl_is_called_and_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "systemctl"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/log\ntest "$1" != fail\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    step = SystemctlStep("x.service", ("restart", "x"), ("stop", "x"))
    step.apply()
    step.undo()
    assert (tmp_path / "log").read_text() == "restart x\nstop x\n"
    with pytest.raises(SeclatchError, match="systemctl fail"):
        SystemctlStep("x.service", ("fail",), ()).apply()
    assert step.describe() == "run systemctl restart x"


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / watch_service.NAME
    unit.write_text(make_unit(["--metrics", "127.0.0.1:9475", "--profile", "/etc/50% a.json"]))
    if shutil.which("systemd-analyze") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("systemd is not installed")
    words = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

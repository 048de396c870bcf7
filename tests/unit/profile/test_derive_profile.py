"""Default profiles by name, and profiles derived from others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from seclatch.cli.main import cli
from seclatch.model.arch import Arch
from seclatch.profile.compile.resolve_profile import Engine, Host, narrow_profile
from seclatch.profile.curated.default_profiles import load_default
from seclatch.profile.generate.derive_profile import derive_profile
from seclatch.profile.meaning.rule_meaning import ProfileMeaning, read_meaning

HOST = Host(Arch.X86_64, frozenset(), (6, 12))


def meaning(*, allow: tuple[str, ...] = (), deny: tuple[str, ...] = ()) -> ProfileMeaning:
    derived = derive_profile(load_default(Engine.DOCKER), allow, deny)
    return read_meaning(narrow_profile(derived, HOST), Arch.X86_64)


def test_one_call_more_and_one_less() -> None:
    derived = meaning(allow=("userfaultfd",), deny=("ptrace",))
    assert derived.always_executes("userfaultfd") and not derived.may_execute("ptrace")
    assert derived.always_executes("read") and not derived.may_execute("mount")


def test_a_call_allowed_for_some_arguments_is_allowed_for_all() -> None:
    assert not meaning().always_executes("socket")
    assert meaning(allow=("socket",)).always_executes("socket")


def test_conditions_on_capabilities_stay() -> None:
    derived = derive_profile(load_default(Engine.DOCKER), ("bpf",), ())
    admin = Host(Arch.X86_64, frozenset(["CAP_SYS_ADMIN"]), (6, 12))
    assert read_meaning(narrow_profile(derived, admin), Arch.X86_64).always_executes("mount")


@pytest.mark.parametrize("name", ["docker-default", "podman-default"])
def test_the_names_stand_for_files(name: str, tmp_path: Path) -> None:
    output = tmp_path / "derived.json"
    words = ["profile", "derive", name, "--deny", "chroot", "-o", str(output)]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    rules = json.loads(output.read_text())["syscalls"]
    allowed = {
        call for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" for call in rule["names"]
    }
    assert "chroot" not in allowed and "read" in allowed
    differs = CliRunner().invoke(cli, ["profile", "diff", name, str(output), "--arch", "x86_64"])
    assert differs.exit_code == 1 and "chroot: newly denied" in differs.output


def test_a_file_of_that_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("docker-default").write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')
    done = CliRunner().invoke(cli, ["profile", "test", "docker-default", "mount()"])
    assert "SCMP_ACT_ALLOW" in done.output


def test_a_mistyped_call_is_refused() -> None:
    done = CliRunner().invoke(cli, ["profile", "derive", "docker-default", "--allow", "userfault"])
    assert done.exit_code == 2 and "userfaultfd" in done.output

"""A Kubernetes manifest is amended, tried and enforced in place."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from seclatch.cli.main import cli
from seclatch.errors import InputError
from tests.unit.profile.amendments import line

TEXT = """# of web
apiVersion: security-profiles-operator.x-k8s.io/v1beta1
kind: SeccompProfile
metadata: {name: web}
spec:
  defaultAction: SCMP_ACT_ERRNO  # deny
  architectures: [SCMP_ARCH_X86_64]
  syscalls:
    # files
    - action: SCMP_ACT_ALLOW
      names:
        - read   # from
        - write
  # the end
"""
ADDED = """    # amended: denied 2 times to /usr/sbin/nginx (web.log)
    - names:
        - sync
      action: SCMP_ACT_ALLOW
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("web.yaml").write_text(TEXT)
    Path("web.log").write_bytes(line("sync", 0, count=2))


def call(*words: str) -> Result:
    return CliRunner().invoke(cli, [*words])


def test_only_the_new_rule_differs() -> None:
    done = call("amend", "web.yaml", "--watch-log", "web.log", "--yes", "--arch", "x86_64")
    assert done.exit_code == 0, done.output
    assert Path("web.yaml").read_text() == TEXT.replace("  # the end", ADDED + "  # the end")


def test_a_rule_that_denies_loses_the_name() -> None:
    denying = "    - {action: SCMP_ACT_KILL_PROCESS, names: [ptrace, sync, mkdir]}\n"
    Path("web.yaml").write_text(TEXT.replace("  # the end", denying + "  # the end"))
    words = ["--overrule", "sync", "--yes", "--arch", "x86_64"]
    done = call("amend", "web.yaml", "--watch-log", "web.log", *words)
    assert done.exit_code == 0, done.output
    assert "names: [ptrace, mkdir]" in Path("web.yaml").read_text()


def test_a_trial_and_back() -> None:
    assert call("profile", "audit", "web.yaml", "-o", "trial.yaml").exit_code == 0
    trial = Path("trial.yaml").read_text()
    assert trial == TEXT.replace("SCMP_ACT_ERRNO  # deny", "SCMP_ACT_LOG  # deny")
    words = ["--enforce", "--quiet-for", "0", "--yes", "--arch", "x86_64"]
    assert call("amend", "trial.yaml", *words).exit_code == 0
    assert Path("trial.yaml").read_text() == TEXT


def test_what_has_no_place_in_a_manifest_is_refused_with_the_way_out() -> None:
    denying = "    - {action: SCMP_ACT_KILL_PROCESS, names: [ptrace]}\n"
    Path("web.yaml").write_text(TEXT + denying)
    done = call("profile", "audit", "web.yaml")
    assert isinstance(done.exception, InputError) and "rule 1 denies" in str(done.exception)
    assert "convert --to docker" in done.exception.remedy


def test_a_reason_does_not_leave_its_comment() -> None:
    exe = "/x\n    - names: [ptrace]\n      action: SCMP_ACT_ALLOW\x85\u2028#"
    Path("web.log").write_bytes(line("sync", 0, exe=exe))
    done = call("amend", "web.yaml", "--watch-log", "web.log", "--yes", "--arch", "x86_64")
    assert done.exit_code == 0, done.output
    added = Path("web.yaml").read_text().replace(TEXT.partition("  # the end")[0], "")
    assert len(added.splitlines()) == 5 and added.startswith("    # amended: denied once to /x - ")


def test_a_list_with_an_anchor_is_refused() -> None:
    text = TEXT.replace("syscalls:", "syscalls: &x")
    Path("web.yaml").write_text(text)
    done = call("amend", "web.yaml", "--watch-log", "web.log", "--yes", "--arch", "x86_64")
    assert isinstance(done.exception, InputError) and "editing it in place" in str(done.exception)
    assert Path("web.yaml").read_text() == text

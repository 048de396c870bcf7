"""The files of examples/: valid by the published schemas, and their steps run as a CI runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from seclatch.data import DATA

EXAMPLES = Path(__file__).parents[2] / "examples"
BIN = Path(sys.executable).parent

SCHEMAS = {
    "github-workflow.yml": ["vendor.github-workflows"],
    "gitlab-ci.yml": ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
    "compose.yaml": ["vendor.compose-spec"],
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_file_is_valid_by_its_published_schema(name: str) -> None:
    command = [BIN / "check-jsonschema", "--builtin-schema", *SCHEMAS[name], EXAMPLES / name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_units_are_read_by_systemd(tmp_path: Path) -> None:
    """And their command line by the command; its program is elsewhere here."""
    unit = (EXAMPLES / "seclatch-node.service").read_text()
    assert "/usr/bin/seclatch node " in unit
    (tmp_path / "seclatch-node.service").write_text(
        unit.replace("/usr/bin/seclatch", str(BIN / "seclatch"))
    )
    (tmp_path / "docker.service").write_text("[Service]\nExecStart=/bin/true\n")
    timer = tmp_path / "seclatch-node.timer"
    timer.write_text((EXAMPLES / "seclatch-node.timer").read_text())
    verify = ["systemd-analyze", "verify", "--man=no", tmp_path / "seclatch-node.service", timer]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    words = unit.partition("/usr/bin/seclatch ")[2].partition("\nTimeout")[0]
    command = [BIN / "seclatch", *words.replace("\\\n", "").split()]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    assert tried.returncode == 2 and "'/etc/seclatch/profiles.list' does not exist" in tried.stderr


def test_each_file_is_listed() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    files = {file.name for file in EXAMPLES.iterdir()} - {"README.md"}
    assert all(f"({name})" in listed for name in files)


def read_github_steps() -> list[dict[str, Any]]:
    workflow = yaml.safe_load((EXAMPLES / "github-workflow.yml").read_text())
    steps: list[dict[str, Any]] = workflow["jobs"]["profile"]["steps"]
    return steps


def script_of(name: str) -> str:
    if name == "github":
        (step,) = [s for s in read_github_steps() if "base branch" in s.get("name", "")]
        return str(step["run"])
    job = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())["seccomp-profile"]
    return "\n".join(line for line in job["script"] if "diff" in line or line.startswith("git "))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Clone a repository whose main branch has the strict profile."""
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    profile = (DATA / "examples/strict.json").read_text()
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]

    def git(*words: str | Path, cwd: Path = tmp_path) -> None:
        subprocess.run(["git", *identity, *words], cwd=cwd, check=True, capture_output=True)

    git("init", "-b", "main", origin)
    (origin / "seccomp.json").write_text(profile)
    git("add", ".", cwd=origin)
    git("commit", "-m", "profile", cwd=origin)
    git("clone", origin, clone)
    return clone


def run_steps(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a step as the runners do: bash, which ends at the first failure."""
    environment = os.environ | {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PROFILE": "seccomp.json",
        "BASE": "main",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "GITHUB_STEP_SUMMARY": "summary.md",
    }
    command = ["bash", "-e", "-o", "pipefail", "-c", script]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["github", "gitlab"])
@pytest.mark.parametrize(
    ("old", "new", "status", "verdict"),
    [
        ('"getrandom"', '"getrandom", "ptrace"', 1, ": wider"),
        ('"getrandom", ', "", 0, ": not wider"),
        ('"getrandom"', '"getrandom"', 0, ": the same"),
    ],
    ids=["wider", "narrower", "same"],
)
def test_a_change_that_widens_the_profile_is_refused(
    checkout: Path, name: str, old: str, new: str, status: int, verdict: str
) -> None:
    file = checkout / "seccomp.json"
    file.write_text(file.read_text().replace(old, new))
    done = run_steps(script_of(name), checkout)
    assert done.returncode == status, done.stderr
    shown = checkout / ("summary.md" if name == "github" else "difference.md")
    assert verdict in shown.read_text()
    if name == "github":
        assert json.loads((checkout / "seccomp.sarif").read_text())["version"] == "2.1.0"

"""Refused profiles: by which program, and which file to check."""

from __future__ import annotations

import shlex
from errno import ENOENT

import pytest

from seclatch.diagnose.remedies.find_remedies import find_remedies
from tests.unit.diagnose.runs import Run

REFUSED = "string SCMP_ACT_X is not a valid action for seccomp"


def make_client(command: str, words: str) -> tuple[Run, int]:
    """Make a client with this message; return the run and the client's segment."""
    run = Run(*command.split())
    client = run.exec(run.root, *command.split())
    run.tells(client, words)
    run.ends(client, 125)
    return run, client


@pytest.mark.parametrize(
    ("command", "file"),
    [
        ("docker run --security-opt seccomp=/a.json x", "/a.json"),
        ("ctr run --seccomp-profile /a.json x y", "/a.json"),
        ("seclatch run --profile=/a.json -- x", "/a.json"),
        ("runc run --bundle /b x", "/b/config.json"),
        ("crun create -b b x", "b/config.json"),
        ("runc run x", "config.json"),
        ("docker run x", ""),
    ],
)
def test_file_to_check(command: str, file: str) -> None:
    found = make_client(command, f"runc create failed: {REFUSED}")[0].cause(125)
    assert (found.seccomp, found.cause) == (True, "profile-refused"), found
    [remedy] = find_remedies(found, None, command.split())
    assert shlex.join(remedy.command) == (f"seclatch profile check {file}" if file else "")
    assert ("FILE" in remedy.text) is not bool(file)


@pytest.mark.parametrize(
    ("words", "who"),
    [
        (f"docker: Error response from daemon: runc create failed: {REFUSED}", "runc"),
        (
            f"docker: Error response from daemon: OCI runtime create failed: {REFUSED}",
            "the runtime",
        ),
        ("docker: Error response from daemon: Decoding seccomp profile failed: x", "docker"),
    ],
)
def test_refusing_program(words: str, who: str) -> None:
    assert make_client("docker run x", words)[0].cause(125).summary.startswith(f"{who} refused")


def test_missing_profile_was_not_refused() -> None:
    words = "docker: opening seccomp profile (/a.json) failed: open /a.json: no such file"
    run, client = make_client("docker run --security-opt seccomp=/a.json x", words)
    run.fails(client, "openat", ENOENT, "/a.json")
    found = run.cause(125)
    assert (found.seccomp, found.cause) == (False, "missing-file"), found
    assert found.summary.startswith("the profile /a.json is not there")

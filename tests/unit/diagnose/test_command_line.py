"""Command lines rewritten for remedies."""

from __future__ import annotations

import shlex

import pytest

from seclatch.diagnose.evidence.command_line import (
    given_profile,
    has_own_profile,
    name_profile,
    with_capability,
    with_latch,
    with_no_new_privs,
)

FRONT = "/usr/local/lib/seclatch/containerd/runc"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("docker run --rm x y", "docker run --runtime seclatch --rm x y"),
        ("docker -H unix:///s run x", "docker -H unix:///s run --runtime seclatch x"),
        ("docker run --runtime crun x", "docker run --runtime seclatch x"),
        ("docker run --runtime=crun x", "docker run --runtime=seclatch x"),
        ("sudo docker create x", "sudo docker create --runtime seclatch x"),
        ("podman run x", "podman --runtime seclatch run x"),
        ("podman --runtime /usr/bin/crun run x", "podman --runtime seclatch run x"),
        ("ctr run --rm x y", f"ctr run --runc-binary {FRONT} --rm x y"),
        ("runc run -b bundle x", "seclatch-runc run -b bundle x"),
        ("/usr/bin/crun exec x y", "seclatch-crun exec x y"),
        ("seclatch run --plain -- x", "seclatch run -- x"),
        ("seclatch run -- x", ""),
        ("docker ps", ""),
        ("docker exec web ./manage.py run", ""),
        ("docker compose run web", ""),
        ("make test", ""),
    ],
)
def test_with_the_latch(before: str, after: str) -> None:
    assert shlex.join(with_latch(before.split(), "runc")) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("docker run x", "docker run --security-opt no-new-privileges x"),
        ("podman run x", "podman run --security-opt no-new-privileges x"),
        ("seclatch run -- x", "seclatch run --no-new-privs -- x"),
        ("ctr run --allow-new-privs x", "ctr run x"),
        ("runc run x", ""),
    ],
)
def test_with_no_new_privs(before: str, after: str) -> None:
    assert shlex.join(with_no_new_privs(before.split())) == after


@pytest.mark.parametrize(
    ("command", "profile"),
    [
        ("docker run --security-opt seccomp=a.json x", "a.json"),
        ("docker run --security-opt=seccomp=a.json x", "a.json"),
        ("docker run --security-opt no-new-privileges x", ""),
        ("ctr run --seccomp --seccomp-profile a.json x", "a.json"),
        ("seclatch run --profile=a.json x", "a.json"),
        ("docker run --security-opt", ""),
        ("docker run app prog --profile=x.json", ""),
        ("docker run app ctr --seccomp-profile x.json", ""),
        ("seclatch run --profile=a.json -- prog --security-opt seccomp=x", "a.json"),
        ("my-wrapper --security-opt seccomp=a.json app", "a.json"),
    ],
)
def test_given_profile(command: str, profile: str) -> None:
    assert given_profile(command.split()) == profile


@pytest.mark.parametrize(
    ("command", "own", "made"),
    [
        ("docker run x", True, True),
        ("sudo podman create x", True, True),
        ("docker run --security-opt seccomp=a.json x", False, True),
        ("docker exec web mount", False, False),
        ("docker exec web ./manage.py run", False, False),
        ("docker start web", False, False),
    ],
)
def test_engine_s_own_profile(command: str, own: bool, made: bool) -> None:
    """An existing container was made with a profile that the command line does not name."""
    words = command.split()
    assert has_own_profile(words) == own
    assert bool(with_capability(words, "CAP_BPF")) == made
    assert bool(name_profile(words)) == made

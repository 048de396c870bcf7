"""How a command line is run again: as another container, under another profile."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from seclatch.diagnose.confirm.run_again import plan_run_again
from seclatch.diagnose.confirm.run_options import split_options
from seclatch.diagnose.confirm.second_run import CannotRunAgainError

PROFILE = {"defaultAction": "SCMP_ACT_ALLOW"}


def run_again(command: str, folder: Path, profile: dict[str, Any] | None = PROFILE) -> str:
    words = plan_run_again(shlex.split(command)).make("7", folder, profile).words
    text = shlex.join(words).replace(str(folder), "F")
    return re.sub(r"seclatch-confirm-[0-9a-f]{8}-7", "NAME", text)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("docker run x", "docker run --rm --name NAME --security-opt seccomp=F/profile.json x"),
        (
            "sudo docker -H unix:///s run -d --name web --rm -e A=1 x y --name z",
            "sudo docker -H unix:///s run --rm --name NAME --security-opt seccomp=F/profile.json "
            "-e A=1 x y --name z",
        ),
        (
            "docker container run --security-opt seccomp=a.json --security-opt=no-new-privileges x",
            "docker container run --rm --name NAME --security-opt seccomp=F/profile.json "
            "--security-opt=no-new-privileges x",
        ),
        (
            "podman run -dp 80:80 --replace --name=web --cidfile f x -d",
            "podman run --rm --name NAME --security-opt seccomp=F/profile.json -p 80:80 x -d",
        ),
        (
            "docker run --restart no --init x",
            "docker run --rm --name NAME --security-opt seccomp=F/profile.json --restart no "
            "--init x",
        ),
        (
            "ctr -n test run --rm --seccomp --seccomp-profile a.json --env A=1 image web ls -t",
            "ctr -n test run --rm --seccomp --seccomp-profile F/profile.json --env A=1 image NAME "
            "ls -t",
        ),
        (
            "seclatch run --plain --profile a.json --name web -- ls --profile x",
            "seclatch run --profile F/profile.json --plain -- ls --profile x",
        ),
        (
            "seclatch apply --profile a.json make test",
            "seclatch apply --profile F/profile.json -- make test",
        ),
    ],
)
def test_with_another_profile(before: str, after: str, tmp_path: Path) -> None:
    assert run_again(before, tmp_path) == after
    if "profile.json" in after:
        assert json.loads((tmp_path / "profile.json").read_text()) == PROFILE


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "docker run --name web --security-opt seccomp=a.json x",
            "docker run --rm --name NAME --security-opt seccomp=a.json x",
        ),
        (
            "ctr run --seccomp --seccomp-profile a.json x web",
            "ctr run --rm --seccomp --seccomp-profile a.json x NAME",
        ),
        ("seclatch run --profile a.json ls", "seclatch run --profile a.json -- ls"),
    ],
)
def test_as_it_is(before: str, after: str, tmp_path: Path) -> None:
    assert run_again(before, tmp_path, None) == after


def test_a_runtime_gets_another_bundle(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    config = {
        "process": {"terminal": False},
        "root": {"path": "rootfs"},
        "mounts": [
            {"destination": "/a", "source": "a", "options": ["bind"]},
            {"destination": "/b", "source": "tmpfs", "type": "tmpfs"},
        ],
        "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO"}, "rootfsPropagation": "slave"},
    }
    (first / "config.json").write_text(json.dumps(config))
    command = f"runc --root /r run --bundle {first} --pid-file p --no-pivot web"
    assert run_again(command, second) == "runc --root /r run --no-pivot --bundle F NAME"
    made = json.loads((second / "config.json").read_text())
    assert made["root"]["path"] == f"{first}/rootfs"
    assert [mount["source"] for mount in made["mounts"]] == [f"{first}/a", "tmpfs"]
    assert made["linux"] == {"seccomp": PROFILE, "rootfsPropagation": "slave"}
    assert json.loads((first / "config.json").read_text()) == config
    (first / "config.json").write_text(json.dumps({"process": {"terminal": True}}))
    with pytest.raises(CannotRunAgainError, match=r"process\.terminal"):
        plan_run_again(shlex.split(command))


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("make test", "none of docker run"),
        ("docker exec web ls", "docker exec does not"),
        ("docker start web", "docker start does not"),
        ("docker compose run web", "docker compose does not"),
        ("docker create x", "docker create does not"),
        ("docker run -it x", "terminal"),
        ("docker run --restart=always x", "--restart"),
        ("docker run --privileged x", "--privileged"),
        ("docker run --rm", "no image"),
        ("podman run --rmi x", "--rmi"),
        ("ctr run -d x y", "--detach"),
        ("ctr run --config c y", "--config"),
        ("ctr run x", "no container"),
        ("runc run -b /nowhere x", "/nowhere/config.json cannot be read"),
        ("crun run --console-socket s x", "--console-socket"),
        ("crun exec x y", "crun exec does not"),
        ("seclatch run -t ls", "terminal"),
        ("seclatch run --dry-run ls", "--dry-run"),
    ],
)
def test_what_is_not_run_again(command: str, reason: str) -> None:
    with pytest.raises(CannotRunAgainError, match=re.escape(reason)):
        plan_run_again(shlex.split(command))


def test_the_stop_command_is_about_the_second_container(tmp_path: Path) -> None:
    for command, stop in (
        ("docker -H s run --name web x", r"docker -H s rm --force seclatch-confirm-[0-9a-f]{8}-1"),
        ("docker container run x", r"docker rm --force seclatch-confirm-[0-9a-f]{8}-1"),
        (
            "ctr -n k run x web",
            r"ctr -n k task kill --signal SIGKILL seclatch-confirm-[0-9a-f]{8}-1",
        ),
    ):
        second = plan_run_again(shlex.split(command)).make("1", tmp_path, None)
        assert re.fullmatch(stop, shlex.join(second.stop))


def test_a_value_ends_letters_that_are_joined() -> None:
    options, rest = split_options("docker", ["-itdeA=1", "-p", "80:80", "--env=B", "x", "-e", "y"])
    assert [(one.name, one.value) for one in options] == [
        ("interactive", ""),
        ("tty", ""),
        ("detach", ""),
        ("e", "A=1"),
        ("p", "80:80"),
        ("env", "B"),
    ]
    assert rest == ["x", "-e", "y"]

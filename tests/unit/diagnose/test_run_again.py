"""How a command line is run again: as another container, under another profile."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from seclatch.diagnose.confirm.client_command.run_options import split_options
from seclatch.diagnose.confirm.client_command.second_run import CannotRunAgainError
from seclatch.diagnose.confirm.run_again import plan_run_again

PROFILE = {"defaultAction": "SCMP_ACT_ALLOW"}


@pytest.fixture(autouse=True)
def unconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take out of the environment what may be in that of a service that runs the tests."""
    for name in ("NOTIFY_SOCKET", "LISTEN_FDS", "WATCHDOG_USEC", "RUN_OCI_SECCOMP_RECEIVER"):
        monkeypatch.delenv(name, raising=False)


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


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("make test", "none of docker run"),
        ("docker exec web ls", "docker exec does not"),
        ("docker start web", "docker start does not"),
        ("docker compose run web", "docker compose does not"),
        ("docker --debug compose run web", "docker compose does not"),
        ("docker -D -H s compose run web", "docker compose does not"),
        ("docker -DH s compose run web", "docker compose does not"),
        ("podman -r compose run web", "podman compose does not"),
        ("runc --debug exec run", "runc exec does not"),
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


def test_the_stop_commands_are_about_the_second_container(tmp_path: Path) -> None:
    for command, stop in (
        (
            "docker -H s run --name web x",
            ["docker -H s rm --force --volumes NAME"],
        ),
        ("docker container run x", ["docker rm --force --volumes NAME"]),
        (
            "sudo podman --root r run x",
            [
                "sudo podman --root r kill --signal KILL NAME",
                "sudo podman --root r rm --force --volumes NAME",
            ],
        ),
        ("ctr -n k run x web", ["ctr -n k task kill --signal SIGKILL NAME"]),
    ):
        second = plan_run_again(shlex.split(command)).make("1", tmp_path, None)
        words = [shlex.join(words) for words in second.stop]
        assert [re.sub(r"seclatch-confirm-[0-9a-f]{8}-1", "NAME", one) for one in words] == stop


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


def isolated(command: str, folder: Path) -> str:
    plan = plan_run_again(shlex.split(command), isolated=True)
    assert plan.doubt == ""
    words = plan.make("7", folder, None).words
    return re.sub(r"seclatch-confirm-[0-9a-f]{8}-7", "NAME", shlex.join(words))


OFF = "--network none --pull never --log-driver none"
MESSAGE = "each run would send a message to what NOTIFY_SOCKET of its environment names"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("docker run -v /data x", f"docker run --rm --name NAME {OFF} -v /data x"),
        (
            "sudo docker run --network web -dp 80:80 --pull=always --log-driver=syslog x",
            f"sudo docker run --rm --name NAME {OFF} x",
        ),
        (
            "podman --runtime /x/crun run --network none --security-opt seccomp=a.json x",
            f"podman --runtime /x/crun run --rm --name NAME {OFF} --security-opt seccomp=a.json x",
        ),
        ("nerdctl run x", "nerdctl run --rm --name NAME --network none --pull never x"),
        (
            "nsenter --mount=/proc/7/ns/mnt -- ctr -n k run i c",
            "nsenter --mount=/proc/7/ns/mnt -- ctr -n k run --rm i NAME",
        ),
        ("env A=/x seclatch run -v a:/a ls", "env A=/x seclatch run -v a:/a -- ls"),
        (
            "/usr/bin/sudo env A= docker -D -H s run x",
            f"/usr/bin/sudo env A= docker -D -H s run --rm --name NAME {OFF} x",
        ),
    ],
)
def test_without_being_asked_it_reaches_nothing(before: str, after: str, tmp_path: Path) -> None:
    assert isolated(before, tmp_path) == after


def test_a_network_that_the_first_run_may_have_had() -> None:
    for command, offline in (("docker run x", True), ("docker run --net none x", False)):
        assert plan_run_again(shlex.split(command), isolated=True).offline is offline
        assert not plan_run_again(shlex.split(command)).offline


@pytest.mark.parametrize(
    ("command", "doubt"),
    [
        ("sh -c x docker run x", "sh would be run again, too"),
        ("sudo rm docker run x", "rm would be run again, too"),
        ("nice -5 deploy docker run x", "nice would be run again, too"),
        ("sudo -E deploy docker run x", "-E would be run again, too"),
        ("env --chdir=/b docker run x", "--chdir=/b would be run again, too"),
        ("nsenter --wd=/b docker run x", "--wd=/b would be run again, too"),
        ("nsenter -t 7 -m docker run x", "-t would be run again, too"),
        ("sudo A=1 docker run x", "A=1 would be run again, too"),
        ("./sudo docker run x", "./sudo would be run again, too"),
        ("env NOTIFY_SOCKET=/s podman run x", MESSAGE),
        ("podman --out f run x", "what its option --out does is not known here"),
        ("podman --conmon f run x", "what its option --conmon does is not known here"),
        ("docker run --runtime /srv/x y", "what /srv/x does is not known here"),
        ("podman --runtime /srv/x run y", "what /srv/x does is not known here"),
        ("seclatch run --latch f ls", "what its option --latch does is not known here"),
        ("ctr run --no-pivot i c", "what its option --no-pivot does is not known here"),
        ("docker run --gpus all x", "what its option --gpus does is not known here"),
        ("docker run --annotation=a=b x", "what its option --annotation does is not known here"),
        ("docker run --network host x", "its network is not its own (--network host)"),
        ("podman run --net=container:web x", "its network is not its own (--net=container:web)"),
        ("podman run --rootfs /srv ls", "what its option --rootfs does is not known here"),
        ("ctr run --rootfs /srv c", "what its option --rootfs does is not known here"),
        ("ctr run --cni i c", "what its option --cni does is not known here"),
        ("seclatch apply --profile p ls", "its program runs on this host, without a container"),
    ],
)
def test_what_is_not_run_again_without_being_asked(command: str, doubt: str) -> None:
    assert plan_run_again(shlex.split(command), isolated=True).doubt == doubt
    assert plan_run_again(shlex.split(command)).doubt == ""


def test_a_service_manager_would_hear_of_each_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    assert plan_run_again(["docker", "run", "x"], isolated=True).doubt == MESSAGE

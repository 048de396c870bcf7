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
    with_profile,
)
from seclatch.diagnose.evidence.image_build import builds_image, takes_step_options

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


@pytest.mark.parametrize(
    "command",
    [
        "docker build .",
        "sudo docker build --tag x .",
        "docker -H unix:///s build .",
        "docker -D --context build build .",
        "docker -Dc run build .",
        "docker image build .",
        "docker builder build .",
        "docker buildx build --load .",
        "docker buildx --builder run bake",
        "docker buildx b .",
        "docker compose build app",
        "docker compose --file a.yaml -p run --dry-run build",
        "nerdctl --namespace run build .",
        "/usr/bin/podman build .",
        "podman --log-level debug image build .",
        "podman buildx build .",
        "buildah bud -t docker .",
        "buildah --root run build .",
    ],
)
def test_a_build(command: str) -> None:
    assert builds_image(command.split())
    assert name_profile(command.split()) == "the builder's own profile"


@pytest.mark.parametrize(
    "command",
    [
        "docker run --rm node npm run build",
        "docker run build",
        "docker --context build run x",
        "docker -H build ps",
        "docker exec c make build",
        "docker compose run app build",
        "docker compose --profile build up",
        "docker container run x build",
        "docker image ls build",
        "docker buildx inspect build",
        "docker buildx --builder build ls",
        "docker",
        "docker --context",
        "docker compose",
        "podman run docker build .",
        "podman exec c buildah bud",
        "buildah run c build",
        "buildah image build",
        "ctr run x y docker build .",
        "seclatch run -- docker build .",
        "runc run x docker build",
        "make build",
        "bake",
    ],
)
def test_no_build(command: str) -> None:
    assert not builds_image(command.split())
    assert name_profile(command.split()) != "the builder's own profile"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("podman build .", "podman build {} ."),
        ("buildah --root run bud .", "buildah --root run bud {} ."),
        ("podman image build .", "podman image build {} ."),
    ],
)
def test_podman_and_buildah_take_options_for_the_steps(before: str, after: str) -> None:
    words = before.split()
    profiled = after.format("--security-opt seccomp=f.json")
    assert takes_step_options(words)
    assert shlex.join(with_profile(words, "f.json")) == profiled
    assert shlex.join(with_profile(profiled.split(), "f.json")) == profiled
    assert shlex.join(with_capability(words, "CAP_BPF")) == after.format("--cap-add BPF")


@pytest.mark.parametrize("command", ["docker build .", "podman compose build", "podman run x"])
def test_no_options_for_steps(command: str) -> None:
    assert not takes_step_options(command.split())

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from seclatch.recording.attribution import bundle_config
from seclatch.recording.attribution.bundle_config import decode_bundle_config
from seclatch.recording.attribution.bundle_profile import (
    MAX_SIZE,
    BundleProfiles,
    find_bundle,
    read_bundle_config,
)
from seclatch.recording.trace.event_kinds import EventKind
from tests.unit.recording.traces import Story

SECCOMP = {"defaultAction": "SCMP_ACT_ERRNO"}


def read_profile(pids: list[int], bundle: str) -> object:
    """Return the profile of a bundle."""
    config = decode_bundle_config(read_bundle_config(pids, bundle) or b"")
    return config.profile if config else None


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps({"linux": {"seccomp": SECCOMP}}))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "bundle"),
    [
        ("runc --root /r create --bundle /b --pid-file /p name", "/b"),
        ("crun run -b /b name", "/b"),
        ("runc create --bundle=/b name", "/b"),
        ("runc run name", "."),
        ("runc delete --bundle /b name", ""),
        ("runc", ""),
    ],
)
def test_bundle_of_a_command_line(words: str, bundle: str) -> None:
    assert find_bundle(words.split()) == bundle


def test_bundle_is_read_by_the_runtime_s_paths(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_profile([os.getpid()], str(bundle)) == SECCOMP
    monkeypatch.chdir(bundle.parent)
    assert read_profile([os.getpid()], bundle.name) == SECCOMP


def test_bundle_of_an_ended_runtime(bundle: Path) -> None:
    gone = 0x7FFFFFFF
    assert read_profile([gone], str(bundle)) == SECCOMP
    assert read_profile([gone, os.getpid()], str(bundle)) == SECCOMP
    assert read_profile([gone], "bundle") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"linux": null}', b'{"linux": {}}', b'{"linux": {"seccomp": 1}}', b"\xff"],
)
def test_invalid_configuration_has_no_profile(content: bytes) -> None:
    config = decode_bundle_config(content)
    assert config is None or config.profile is None


def test_endless_file_and_fifo(tmp_path: Path) -> None:
    (tmp_path / "config.json").symlink_to("/dev/zero")
    assert read_profile([os.getpid()], str(tmp_path)) is None
    (tmp_path / "config.json").unlink()
    os.mkfifo(tmp_path / "config.json")
    assert read_profile([os.getpid()], str(tmp_path)) is None
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_bytes(b" " * (MAX_SIZE + 1))
    assert read_profile([os.getpid()], str(tmp_path)) is None


def test_front_and_its_runtime_are_one_start(bundle: Path) -> None:
    story = Story()
    front = story.exec(story.root, "/usr/local/lib/seclatch/runc", "create", "-b", str(bundle), "x")
    story.exec(front, "/usr/sbin/runc", "create", "-b", str(bundle), "x")
    profiles = BundleProfiles()
    profiles.update(story.trace)
    process = story.trace.segments[front].process
    assert story.trace.segments[front].kind == EventKind.EXEC
    assert profiles.profiles == {process: SECCOMP}


def test_a_query_for_a_pod_needs_annotations_of_kubernetes(bundle: Path) -> None:
    """It reads all of /proc, for which the start of another container does not wait."""
    story, asked = Story(), list[str]()
    profiles = BundleProfiles()
    for name, notes in (("plain", {}), ("odd", [1]), ("pod", {"io.kubernetes.x": "y"})):
        config = {"linux": {"seccomp": SECCOMP}, "annotations": notes}
        (bundle / "config.json").write_text(json.dumps(config))
        story.exec(story.fork(story.root), "/usr/sbin/runc", "create", "-b", str(bundle), name)
        profiles.update(story.trace)
        profiles.find_pods(asked.append)
    assert asked == ["pod"]


def test_a_bundle_without_a_pod_is_decoded_at_the_end(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What decodes it takes 10 ms to import, while events wait to be read."""
    story, decoded = Story(), list[bytes]()
    monkeypatch.setattr(bundle_config, "decode_bundle_config", decoded.append)
    story.exec(story.fork(story.root), "/usr/sbin/runc", "create", "-b", str(bundle), "x")
    profiles = BundleProfiles()
    profiles.update(story.trace)
    profiles.find_pods(lambda _: None)
    assert decoded == []
    assert profiles.profiles == {}
    assert decoded == [(bundle / "config.json").read_bytes()]

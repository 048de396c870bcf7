"""A node's recordings become counts at a real registry, and its disk stays bounded."""

from __future__ import annotations

import os
import subprocess
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from seclatch.agent.ship_counts import ShippedCounts, ShipWish, is_sampled, ship_counts
from seclatch.fleet.pull_counts import WantedCounts, pull_counts
from seclatch.model.recorder_limits import RecorderLimits
from seclatch.model.recording.merge_recordings import ContainerGroup
from seclatch.model.recording.origin import ContainerImage
from seclatch.model.recording.recording import Recording
from seclatch.recording.annotated.annotation import AnnotationRequest
from seclatch.recording.annotated.running_state import RunningState, remove_state, write_state
from seclatch.recording.annotated.spool import RecordingSpool
from seclatch.recording.files.recording_file import write_recording
from seclatch.registry.reference import parse_reference
from tests.registry.conftest import Seclatch, read_valid
from tests.registry.docker_registry import DockerRegistry
from tests.registry.test_counts import DIGEST, PLAIN, SECRET, counted, names_of


class ShippingNode:
    """A node's directories, and what is at the registry."""

    def __init__(self, host: str, folder: Path, name: str) -> None:
        self.recordings = folder / "recordings"
        self.recordings.mkdir(mode=0o700)
        repository = parse_reference(f"{host}/{name}")
        self.wish = ShipWish(self.recordings, folder / "counts", repository, "node-1")

    def record(self, name: str, recording: Recording) -> Path:
        path = self.recordings / f"{name}.json.gz"
        write_recording(path, recording)
        return path

    def ship(self, **changed: object) -> ShippedCounts:
        wish = replace(self.wish, **changed)
        return ship_counts(wish, PLAIN, lambda _: nullcontext())

    def counted(self) -> dict[str, int]:
        merged, _ = pull_counts(self.wish.repository, PLAIN, WantedCounts(DIGEST))
        return names_of(merged[ContainerGroup(DIGEST, "web")])

    def files(self) -> list[str]:
        return sorted(path.name for path in self.recordings.iterdir())


@pytest.fixture
def shipping(
    registry: DockerRegistry, tmp_path: Path, request: pytest.FixtureRequest
) -> ShippingNode:
    return ShippingNode(registry.host, tmp_path, request.node.name.replace("_", "-"))


def test_recordings_go_and_counts_stay(shipping: ShippingNode) -> None:
    shipping.record("a", counted("read write"))
    first = shipping.ship()
    assert (first.merged, len(first.pushed), first.failed) == (1, 1, [])
    assert shipping.files() == []
    shipping.record("b", counted("read openat"))
    assert shipping.ship().merged == 1
    assert shipping.counted() == {"read": 2, "write": 1, "openat": 1}
    again = shipping.ship()
    assert (again.merged, again.pushed) == (0, [])  # nothing changed
    assert (shipping.wish.counts.stat().st_mode & 0o777) == 0o700
    kept = b"".join(path.read_bytes() for path in shipping.wish.counts.glob("*"))
    assert SECRET.encode() not in kept


def test_a_registry_that_is_down_loses_nothing(
    shipping: ShippingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seclatch.registry.registry_http.time.sleep", lambda _: None)
    shipping.record("a", counted("read"))
    down = shipping.ship(repository=parse_reference("localhost:1/x"))
    assert down.merged == 1 and "registry localhost:1" in down.failed[0]
    shipping.record("b", counted("write"))
    assert not shipping.ship().failed
    assert shipping.counted() == {"read": 1, "write": 1}


def test_what_a_recorder_still_writes_is_left(shipping: ShippingNode) -> None:
    spool = RecordingSpool(RecorderLimits(directory=str(shipping.recordings)))
    path = spool.choose_path(AnnotationRequest("web", "3f4c8a"), [])
    state = RunningState(file=path.name, name="web", identifier="3f4c8a", started="")
    write_state(shipping.recordings, state)
    write_recording(path, counted("read"))
    assert shipping.ship().merged == 0 and path.exists()
    remove_state(shipping.recordings, path.name)
    assert shipping.ship().merged == 1 and not path.exists()


def test_a_file_that_is_no_recording_is_set_aside(shipping: ShippingNode) -> None:
    for number in range(12):
        (shipping.recordings / f"{number}.json.gz").write_bytes(b"\x1f\x8bnonsense")
    shipping.record("web", counted("read"))
    done = shipping.ship()
    assert done.merged == 1 and len(done.failed) == 12
    assert len(shipping.files()) == 10 and all(one.endswith(".broken") for one in shipping.files())
    assert not shipping.ship().failed


def test_the_disk_is_bounded(shipping: ShippingNode) -> None:
    """What was not added to for longest goes."""
    for number in range(3):
        image = ContainerImage(digest=f"sha256:{number:064}")
        shipping.record(f"{number}", counted("read", image=image))
        shipping.ship()
        for path in shipping.wish.counts.iterdir():
            os.utime(path, (number, number) if path.stat().st_mtime > 10 else None)
    size = max(path.stat().st_size for path in shipping.wish.counts.glob("*.gz"))
    done = shipping.ship(most_bytes=size)
    assert len(done.dropped) == 2
    assert len(list(shipping.wish.counts.glob("*.gz"))) == 1


@pytest.mark.root
def test_a_full_disk_loses_no_recording(shipping: ShippingNode, tmp_path: Path) -> None:
    """On a file system of 4 KiB."""
    shipping.record("a", counted("read"))
    full = tmp_path / "counts"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", full], check=True)
    try:
        (full / "other").write_bytes(bytes(4096))
        done = shipping.ship()
        assert "No space left" in done.failed[0] and shipping.files() == ["a.json.gz"]
        (full / "other").unlink()
        assert not shipping.ship().failed and shipping.files() == []
    finally:
        subprocess.run(["umount", full], check=True)


def test_sampling_is_by_node_and_image(shipping: ShippingNode) -> None:
    groups = [ContainerGroup(f"sha256:{number:064}", "web") for number in range(20)]
    nodes = [f"node-{number}" for number in range(500)]
    for group in groups:
        sampled = [node for node in nodes if is_sampled(group, node, 10)]
        assert 20 <= len(sampled) <= 85  # 10 % of 500, five standard deviations
        assert sampled == [node for node in nodes if is_sampled(group, node, 10)]
    assert len({is_sampled(group, "node-1", 50) for group in groups}) == 2
    assert all(is_sampled(group, node, 100) for group in groups for node in nodes)
    shipping.record("a", counted("read"))
    out = shipping.ship(percent=0.0)
    assert (out.merged, out.sampled_out, shipping.files()) == (0, 1, [])


def test_the_command(seclatch: Seclatch, shipping: ShippingNode) -> None:
    shipping.record("a", counted("read"))
    words = ("--recordings", shipping.recordings, "--counts", shipping.wish.counts)
    done = seclatch("node", "--ship", shipping.wish.repository, *words, "--plain-http", "--json")
    assert done.returncode == 0, done.stderr
    assert len(read_valid(done.stdout, "node-counts-1")["pushed"]) == 1

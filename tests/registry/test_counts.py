"""Counts of many nodes at a real registry: pushed by each, merged by one."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from seclatch.errors import SeclatchError
from seclatch.fleet.counts_artifact import counts_tag, make_counts_manifest
from seclatch.fleet.pull_counts import WantedCounts, pull_counts
from seclatch.fleet.push_counts import list_layers, push_counts
from seclatch.model.recording.merge_recordings import (
    ContainerGroup,
    identify_containers,
    merge_recordings,
)
from seclatch.model.recording.origin import ContainerImage
from seclatch.model.recording.recording import (
    ProcessImage,
    ReadyMark,
    RecordedContainer,
    RecordedProcess,
    Recording,
)
from seclatch.recording.files.recording_file import read_recording, write_recording
from seclatch.registry.reference import parse_reference
from seclatch.registry.registry_client import RegistryClient
from seclatch.registry.registry_http import RegistryAccess
from tests.registry.conftest import KeyPair, Seclatch
from tests.registry.docker_registry import DockerRegistry
from tests.unit.recordings import calls, recording

PLAIN = RegistryAccess(plain_http=True)
DIGEST = f"sha256:{'b' * 64}"
IMAGE = ContainerImage(name="registry.example/web:1", digest=DIGEST)
SECRET = "--password=hunter2"


def counted(names: str, container: str = "web", image: ContainerImage = IMAGE) -> Recording:
    """Return a recording with all that must not leave the node."""
    process = RecordedProcess(
        id=0,
        pid=4321,
        parent=None,
        session=None,
        began=0,
        ended=1,
        status=0,
        found_running=False,
        images=[ProcessImage(time=0, stage="program", exe="/usr/bin/web", argv=["web", SECRET])],
    )
    return recording(
        calls("program", names),
        commands=[["docker", "run", "-e", SECRET]],
        processes=[process],
        containers=[RecordedContainer(id=0, name="web-7f9c", image=image)],
        images=[image],
        container_names=[container],
        ready=ReadyMark(time=0.5, condition=f"log:{SECRET}"),
    )


def names_of(found: Recording) -> dict[str, int]:
    return {call.name: call.runs for call in found.calls}


def test_a_fleet_becomes_one_recording(
    seclatch: Seclatch, registry: DockerRegistry, tmp_path: Path
) -> None:
    repository = f"{registry.host}/fleet/recordings"
    for number, names in enumerate(("read write", "read openat", "read mkdir")):
        file = tmp_path / f"{number}.recording.json.gz"
        write_recording(file, counted(names))
        words = ("record", "push", "--node", f"node-{number}", "--plain-http", file, repository)
        planned = seclatch(*words, "--dry-run")
        done = seclatch(*words)
        assert done.returncode == 0, done.stderr
        assert done.stdout == planned.stdout
    output = tmp_path / "all.recording.json.gz"
    pull = ("record", "pull", "--plain-http", "--allow-unsigned", repository)
    done = seclatch(*pull, f"docker.io/library/web@{DIGEST}", "-o", output)
    assert done.returncode == 0 and "3 tags" in done.stderr, done.stderr
    merged = read_recording(output)
    assert names_of(merged) == {"read": 3, "write": 1, "openat": 1, "mkdir": 1}
    assert merged.runs == 3
    generated = seclatch("generate", output)
    assert generated.returncode == 0, generated.stderr
    rules = json.loads(generated.stdout)["syscalls"]
    assert {"read", "mkdir"} <= {name for rule in rules for name in rule["names"]}


def test_no_command_line_leaves_the_node(registry: DockerRegistry) -> None:
    """In what is uploaded as a whole, not only where it is expected."""
    repository = parse_reference(f"{registry.host}/secret/recordings")
    whole = counted("read")
    layers = list_layers({identify_containers(whole): merge_recordings([whole])})
    assert [group for group, _ in push_counts(layers, repository, PLAIN, "node-secret-name")]
    stored = b"".join(
        gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
        for path in registry.storage.rglob("data")
        for data in [path.read_bytes()]
    )
    names = b"".join(str(path).encode() for path in registry.storage.rglob("*"))
    assert b"/usr/bin/web" in stored  # the control: the programs that a scan needs
    for word in (SECRET, "hunter2", "web-7f9c", "4321", "node-secret-name"):
        assert word.encode() not in stored and word.encode() not in names, word


def test_a_node_replaces_what_it_pushed(registry: DockerRegistry) -> None:
    repository = parse_reference(f"{registry.host}/again/recordings")
    for names in ("read write", "read openat"):
        one = merge_recordings([counted(names)])
        list(push_counts(list_layers({identify_containers(one): one}), repository, PLAIN, "n"))
    merged, tags = pull_counts(repository, PLAIN, WantedCounts(DIGEST))
    assert tags == 1
    assert set(names_of(merged[ContainerGroup(DIGEST, "web")])) == {"read", "openat"}


def test_containers_of_one_image_are_kept_apart(
    seclatch: Seclatch, registry: DockerRegistry, tmp_path: Path
) -> None:
    repository = f"{registry.host}/apart/recordings"
    other = ContainerImage(digest=f"sha256:{'c' * 64}")
    for number, one in enumerate(
        (counted("read", "web"), counted("bpf", "init"), counted("write", "db", other))
    ):
        file = tmp_path / f"{number}.json.gz"
        write_recording(file, one)
    done = seclatch("record", "push", "--plain-http", *tmp_path.glob("*.json.gz"), repository)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
    words = ("record", "pull", "--plain-http", "--allow-unsigned", repository)
    refused = seclatch(*words, DIGEST, "-o", tmp_path / "one.json")
    assert refused.returncode != 0 and "2 containers" in refused.stderr
    done = seclatch(*words, DIGEST, "--container", "init", "-o", tmp_path / "one.json")
    assert done.returncode == 0, done.stderr
    assert set(names_of(read_recording(tmp_path / "one.json"))) == {"bpf"}
    done = seclatch(*words, "--into", tmp_path / "all")
    assert done.returncode == 0 and len(list((tmp_path / "all").iterdir())) == 3


def test_three_hundred_nodes(registry: DockerRegistry) -> None:
    """Pushing 50 at a time: no count is lost."""
    repository = parse_reference(f"{registry.host}/many/recordings")

    def work(number: int) -> None:
        one = merge_recordings([counted(f"read {'write' if number % 3 else 'bpf'}")])
        layers = list_layers({identify_containers(one): one})
        list(push_counts(layers, repository, PLAIN, f"node-{number}"))

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(work, range(300)))
    merged, tags = pull_counts(repository, PLAIN, WantedCounts(DIGEST, "web"))
    assert tags == 300
    assert names_of(merged[ContainerGroup(DIGEST, "web")]) == {
        "read": 300,
        "write": 200,
        "bpf": 100,
    }


def test_signed_counts(
    seclatch: Seclatch,
    registry: DockerRegistry,
    keys: KeyPair,
    other_keys: KeyPair,
    tmp_path: Path,
) -> None:
    """One node with another key, and the whole merge is refused."""
    repository = f"{registry.host}/signed/recordings"
    file = tmp_path / "one.json.gz"
    words = ("record", "pull", "--plain-http", repository, DIGEST, "--key", keys.public)
    for node, pair, refused in (("a", keys, False), ("b", other_keys, True)):
        write_recording(file, counted(f"read {'bpf' if refused else 'write'}"))
        push = ("record", "push", "--plain-http", "--node", node, "--sign", pair.private)
        assert seclatch(*push, file, repository).returncode == 0
        done = seclatch(*words, "-o", tmp_path / "out.json")
        assert (done.returncode == 1) == refused, done.stderr
    assert "not by this key" in done.stderr
    unsigned = seclatch(*words[:-2], "-o", tmp_path / "out.json")
    assert unsigned.returncode == 2 and "--allow-unsigned" in unsigned.stderr


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ("image", "has counts of"),
        ("commands", "have command lines"),
        ("bomb", "MiB of counts"),
        ("text", "cut off"),
        ("type", "not the counts of a node"),
    ],
)
def test_counts_that_lie(registry: DockerRegistry, lie: str, said: str) -> None:
    """Under the tag of an image, what is not its counts."""
    repository = parse_reference(f"{registry.host}/lie/{lie}")
    client = RegistryClient(repository, PLAIN)
    one = merge_recordings([counted("read", image=ContainerImage(digest=f"sha256:{'d' * 64}"))])
    layer = {
        "image": list_layers({identify_containers(one): one})[0][1],
        "commands": gzip.compress(
            json.dumps(json.loads(encode(merge_recordings([counted("read")])))).encode()
        ),
        "bomb": gzip.compress(bytes(40 << 20)),
        "text": b"x",
        "type": encode(one),
    }[lie]
    manifest = make_counts_manifest(layer)
    if lie == "type":
        manifest = manifest.replace(b"seclatch.counts", b"seclatch.other")
    tag = counts_tag(ContainerGroup(DIGEST, "web"), "node")
    client.put_artifact((layer, b"{}"), manifest, tag)
    with pytest.raises(SeclatchError, match=said):
        pull_counts(repository, PLAIN, WantedCounts(DIGEST))


def encode(one: Recording) -> bytes:
    import msgspec

    return msgspec.json.encode(one)


def test_tags_of_others_are_left_alone(registry: DockerRegistry) -> None:
    """A registry may name tags as it likes: none becomes a path."""
    repository = parse_reference(f"{registry.host}/others/recordings")
    client = RegistryClient(repository, PLAIN)
    layer = b"x"
    for tag in ("latest", "counts-x", f"counts-{'a' * 24}-{'b' * 12}-{'c' * 16}.sig"):
        client.put_artifact((layer, b"{}"), make_counts_manifest(layer), tag)
    one = merge_recordings([counted("read")])
    list(push_counts(list_layers({identify_containers(one): one}), repository, PLAIN, "n"))
    assert pull_counts(repository, PLAIN, WantedCounts())[1] == 1


def test_nothing_is_there(seclatch: Seclatch, registry: DockerRegistry, tmp_path: Path) -> None:
    done = seclatch(
        *("record", "pull", "--plain-http", "--allow-unsigned"),
        *(f"{registry.host}/none/recordings", DIGEST),
        *("-o", tmp_path / "out.json"),
    )
    assert done.returncode == 1 and "seclatch record push" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["home"]

"""Recordings and scans that do not belong together, and what was executed and not scanned."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from seclatch.cli.main import cli
from seclatch.errors import SeclatchError
from seclatch.model.recording.container_bounds import list_bounds
from seclatch.model.recording.executed_programs import ExecutedProgram
from seclatch.model.recording.merge_recordings import merge_recordings
from seclatch.model.recording.origin import ContainerImage
from seclatch.model.recording.recorded_programs import find_health_commands, list_executed
from seclatch.model.recording.recording import (
    ProcessImage,
    RecordedContainer,
    RecordedProcess,
    Recording,
)
from seclatch.model.scan import CallChain, Scan, ScannedProgram
from seclatch.profile.generate.limits.recorded_limit import find_limits
from seclatch.profile.generate.match_inputs import list_unscanned, require_one_image
from seclatch.scan.scan_document import encode_scan
from tests.unit.recordings import calls, recording


def process(*images: tuple[str, str, str]) -> RecordedProcess:
    """(stage, exe, argv) for each exec."""
    made = [
        ProcessImage(time=1.0, stage=stage, exe=exe, argv=argv.split())
        for stage, exe, argv in images
    ]
    return RecordedProcess(
        id=0,
        pid=1,
        parent=None,
        session=None,
        began=0.0,
        ended=None,
        status=None,
        found_running=False,
        images=made,
    )


def of_image(name: str, **digests: str) -> Recording:
    image = ContainerImage(name=name, **digests)
    return recording(calls("program", "read"), images=[image])


def scan(*followed: str, programs: tuple[str, ...] = (), digests: tuple[str, ...] = ()) -> Scan:
    found = tuple(
        ScannedProgram(path, "x86_64", "", (path,), (CallChain("read", 0, ()),))
        for path in programs
    )
    return Scan("app:2", found, digests=digests, followed=followed)


EXECUTED = recording(
    calls("program", "read"),
    processes=[
        process(
            ("runtime", "/usr/bin/runc", "runc init"),
            ("program", "/start", "/bin/sh /start app"),
            ("program", "/usr/bin/app", "app --serve"),
        ),
        process(("program", "/bin/curl", "curl -f localhost")),
    ],
)


def test_only_what_the_container_executed_counts() -> None:
    assert [each.exe for each in list_executed(EXECUTED)] == ["/bin/curl", "/start", "/usr/bin/app"]


def test_a_merged_recording_keeps_what_was_executed() -> None:
    other = recording([], processes=[process(("program", "/bin/ls", "ls"))])
    once = merge_recordings([EXECUTED, other])
    assert list_executed(once) == list_executed(merge_recordings([other, once]))
    assert ExecutedProgram(exe="/bin/ls", argv=["ls"]) in once.executed


def test_programs_that_were_not_scanned_are_named() -> None:
    assert list_unscanned([EXECUTED], scan("/start", "/usr/bin/app")) == ["/bin/curl"]
    assert list_unscanned([EXECUTED], scan("/start", "/bin/app", "/usr/bin/curl")) == []


def test_a_scan_of_before_has_program_paths_only() -> None:
    old = scan(programs=("/opt/app", "/usr/bin/curl"))
    assert list_unscanned([EXECUTED], old) == ["/start"]


def test_health_commands_of_recorded_clients() -> None:
    words = ["docker", "run", "--health-cmd", "curl -f x", "--health-cmd=true", "box"]
    assert find_health_commands(words) == ["true", "curl -f x"]
    assert find_health_commands(["docker", "run", "--health-cmd"]) == []
    assert find_health_commands(["docker", "run", "--health-cmd=none"]) == []


def test_recordings_of_two_images_are_refused_by_both_names() -> None:
    files = {"a.json": of_image("app:1", digest="sha256:1"), "b.json": of_image("b", id="sha256:2")}
    with pytest.raises(SeclatchError, match=r"a\.json of sha256:1, b\.json of sha256:2"):
        require_one_image(files)
    require_one_image({"a.json": files["a.json"], "c.json": recording([])})


def test_a_scan_of_another_digest_is_refused_by_both_names() -> None:
    files = {"a.json": of_image("app:1", id="sha256:1", digest="sha256:m")}
    with pytest.raises(SeclatchError, match=r"s\.json of app:2 sha256:9, a\.json of app:1"):
        require_one_image(files, scan(digests=("sha256:9",)), "s.json")
    for known in (("sha256:9", "sha256:m"), ("sha256:1",), ()):
        require_one_image(files, scan(digests=known), "s.json")


def bound_by(*names: str) -> Recording:
    document = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"names": list(names), "action": "SCMP_ACT_ALLOW"}],
    }
    container = RecordedContainer(id=0, profile=document)
    return recording(calls("program", "read"), containers=[container])


def test_a_merged_recording_is_held_to_all_its_containers_profiles() -> None:
    one, other = bound_by("read", "write"), bound_by("read", "mkdir")
    merged = merge_recordings([one, merge_recordings([other, one])])
    assert len(find_limits([merged])) == 2
    assert list_bounds(merged) == list_bounds(merge_recordings([other, one]))
    again = msgspec.json.decode(msgspec.json.encode(merged), type=Recording)
    assert find_limits([again]) == find_limits([merged])


def generate(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli, ["generate", *words])
    return done.exit_code, done.stdout, done.stderr


def write(path: Path, content: Recording) -> str:
    path.write_bytes(msgspec.json.encode(content))
    return str(path)


def test_the_command_names_what_was_not_scanned(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_bytes(encode_scan(scan("/start", "/usr/bin/app")))
    file = write(tmp_path / "a.json", EXECUTED)
    status, _, message = generate(file, "--scan", str(tmp_path / "s.json"))
    assert status == 0
    assert "executed while recording, and not scanned: /bin/curl; `seclatch scan --rec" in message


def test_the_command_refuses_other_images_and_can_be_overruled(tmp_path: Path) -> None:
    files = [
        write(tmp_path / f"{digest}.json", of_image("app", digest=f"sha256:{digest}"))
        for digest in "12"
    ]
    done = CliRunner().invoke(cli, ["generate", *files])
    assert isinstance(done.exception, SeclatchError) or done.exit_code == 2
    assert generate("--any-image", *files)[0] == 0


def test_the_intersection_decides_what_a_merged_recording_gets(tmp_path: Path) -> None:
    merged = merge_recordings([bound_by("read", "write"), bound_by("write", "exit")])
    status, text, message = generate(write(tmp_path / "m.json", merged))
    assert status == 0 and "left out" in message
    allowed = {
        name
        for rule in json.loads(text)["syscalls"]
        if rule["action"] == "SCMP_ACT_ALLOW"
        for name in rule["names"]
    }
    assert "read" not in allowed


def test_containers_of_different_names_do_not_belong_together() -> None:
    """An init container and a sidecar may have one image."""
    image = of_image("web", digest="sha256:1")
    one, other = (
        msgspec.structs.replace(image, container_names=[name]) for name in ("web", "proxy")
    )
    require_one_image({"a.json": one, "b.json": one, "c.json": image})
    with pytest.raises(SeclatchError, match=r"web in a.json, proxy in b.json"):
        require_one_image({"a.json": one, "b.json": other})

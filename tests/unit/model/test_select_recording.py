"""A part of a recording: a container of a pod, or all but exec sessions."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from seclatch.model.pod import PodContainer
from seclatch.model.recording.merge_recordings import identify_containers, merge_recordings
from seclatch.model.recording.origin import ContainerImage
from seclatch.model.recording.recording import (
    RecordedContainer,
    RecordedProcess,
    RecordedSession,
    Recording,
    list_container_names,
)
from seclatch.model.recording.recording_sums import RecordingSums
from seclatch.model.recording.select_recording import drop_sessions, has_container, keep_container
from tests.unit.recordings import calls, recording, recordings

IMAGE = ContainerImage(name="shop", digest="sha256:5")


def process(number: int, session: int | None) -> RecordedProcess:
    return RecordedProcess(
        id=number,
        pid=100 + number,
        parent=None,
        session=session,
        began=0.0,
        ended=None,
        status=None,
        found_running=False,
        images=[],
    )


def container(number: int, name: str) -> RecordedContainer:
    pod = PodContainer(namespace="prod", pod="shop-1", container=name)
    return RecordedContainer(id=number, name=str(number) * 64, image=IMAGE, pod=pod)


def pod_recording(*names: str) -> Recording:
    """Record a process outside of containers, one in each, and an exec session in the first."""
    containers = [container(number, name) for number, name in enumerate(names)]
    sessions = [
        RecordedSession(id=number, container=number, joined=False, process=number + 1)
        for number in range(len(names))
    ]
    last = len(names)
    sessions.append(RecordedSession(id=last, container=0, joined=True, process=last + 1))
    entries = calls("runtime", "read")
    for number, call in enumerate(["openat", "connect", "mkdir"][: last + 1], start=1):
        entries += [
            msgspec.structs.replace(each, process=number) for each in calls("program", call)
        ]
    return recording(
        entries,
        containers=containers,
        container_names=list_container_names(containers),
        sessions=sessions,
        processes=[process(0, None), *(process(n + 1, n) for n in range(last + 1))],
        images=[IMAGE],
    )


def called(found: Recording) -> list[str]:
    return [each.name for each in found.calls]


@pytest.mark.parametrize("name", ["web", "prod/shop-1/web", "1" * 64, "111"])
def test_one_container_of_a_pod(name: str) -> None:
    both = pod_recording("init", "web")
    assert has_container(both, name)
    found = keep_container(both, name)
    assert called(found) == ["read", "connect"]
    assert found.container_names == ["web"]
    assert [each.id for each in found.processes] == [0, 2]
    assert not has_container(both, "we")


def test_without_exec_sessions() -> None:
    whole = pod_recording("web")
    assert called(whole) == ["read", "openat", "connect"]
    found = drop_sessions(whole)
    assert called(found) == ["read", "openat"]
    assert [each.joined for each in found.sessions] == [False]
    assert found.containers == whole.containers


def test_the_parts_that_are_merged_have_a_selection_too() -> None:
    sums = msgspec.json.decode(msgspec.json.encode(pod_recording("web")), type=RecordingSums)
    assert called(merge_recordings([drop_sessions(sums)])) == ["read", "openat"]


def test_a_merged_recording_does_not_tell_parts_apart() -> None:
    merged = merge_recordings([pod_recording("init"), pod_recording("web")])
    assert merged.container_names == ["init", "web"]
    assert has_container(merged, "web")
    with pytest.raises(ValueError, match="merged"):
        keep_container(merged, "web")
    with pytest.raises(ValueError, match="merged"):
        drop_sessions(merged)
    alone = merge_recordings([pod_recording("web")])
    assert keep_container(alone, "web") == alone


def test_containers_of_one_image_are_apart_and_of_one_name_together() -> None:
    init, web = pod_recording("init"), pod_recording("web")
    assert identify_containers(init) != identify_containers(web)
    assert identify_containers(web) == identify_containers(merge_recordings([web, web]))
    assert identify_containers(recording([])) == ("", "")


@given(found=recordings())
def test_nothing_is_left_out_where_there_is_no_session(found: Recording) -> None:
    if all(call.process is not None for call in found.calls):
        assert drop_sessions(found).calls == found.calls


def test_a_recording_without_these_fields_is_read() -> None:
    old = msgspec.to_builtins(pod_recording("web"))
    del old["container_names"]
    for each in old["containers"]:
        del each["pod"]
    read = msgspec.convert(old, type=Recording)
    assert (read.container_names, read.containers[0].pod) == ([], None)

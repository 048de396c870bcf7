"""Answers without the fields that are read, and steps that fail in an unforeseen way."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import pytest

from seclatch.agent.cri_client import CriClient, ProbePod
from seclatch.agent.docker_probe import DockerProbe
from seclatch.agent.host_latch import HostLatch
from seclatch.agent.node_agent import NodeAgent
from seclatch.agent.protobuf_wire import decode_message, encode_message
from seclatch.agent.ready_label import ReadyLabel
from seclatch.engines.installation.host_root import HostRoot
from seclatch.errors import SeclatchError
from seclatch.registry.registry_http import RegistryAccess
from tests.fleet.test_ready_label import Labels

POD = ProbePod("seclatch", "", "image", "profile")
CREATED = encode_message(((1, "3f4c"),))
RUNS_NO_MORE = encode_message(((1, ((3, 2), (7, "not a number"))),))


class AnsweringClient(CriClient):
    """Answers each method as given; others with an empty message."""

    def __init__(self, **answers: bytes) -> None:
        self._answers, self._seconds = answers, 5.0

    def call(self, method: str, *fields: tuple[int, Any], service: str = "") -> Any:
        """Return the decoded answer."""
        return decode_message(self._answers.get(method, b""))


@pytest.mark.parametrize(
    ("answers", "named"),
    [
        ({}, "RunPodSandbox"),
        ({"RunPodSandbox": encode_message(((1, 7),))}, "RunPodSandbox"),
        ({"RunPodSandbox": CREATED}, "CreateContainer"),
        ({"RunPodSandbox": CREATED, "CreateContainer": CREATED}, "ContainerStatus"),
        (
            {
                "RunPodSandbox": CREATED,
                "CreateContainer": CREATED,
                "ContainerStatus": RUNS_NO_MORE,
            },
            "ContainerStatus",
        ),
    ],
)
def test_cri_without_the_fields_that_are_read(answers: dict[str, bytes], named: str) -> None:
    with pytest.raises(SeclatchError, match=f"CRI: {named}: the answer has not the fields"):
        AnsweringClient(**answers).run_probe(POD)


@pytest.mark.parametrize("item", [7, (), ((1, 7),)])
def test_cri_lists_pods_without_an_id(item: object) -> None:
    listed = encode_message(((1, item),))
    with pytest.raises(SeclatchError, match="CRI: ListPodSandbox: the answer has not the fields"):
        AnsweringClient(ListPodSandbox=listed).remove_probes()


@pytest.mark.parametrize("content", [b"", b"[]", b"<html>", b"{}", b'{"Id": 7}'])
def test_docker_without_the_members_that_are_read(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DockerProbe, "_ask", lambda *_: content)
    with pytest.raises(SeclatchError, match="POST /containers/create: the answer has no Id"):
        DockerProbe(HostRoot()).run(b"")


class BrokenLatch:
    """Fails by a defect."""

    def __init__(self, folder: Path) -> None:
        self.root = HostRoot(folder)

    def keep(self) -> None:
        """Fail."""
        raise KeyError(1)


def test_a_defect_in_one_step_leaves_the_others(tmp_path: Path) -> None:
    """The label is removed from a node whose latch could not be checked."""
    api = Labels()
    latch = cast(HostLatch, BrokenLatch(tmp_path))
    agent = NodeAgent(RegistryAccess(), lambda _: nullcontext(), latch, ReadyLabel(api))
    done = agent.run_round()
    assert str(done.errors["latch"]) == "latch: KeyError: 1"
    assert (api.written, done.label) == ([None], "removed")

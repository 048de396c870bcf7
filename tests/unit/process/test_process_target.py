"""The process that a word stands for: a process id, a container, a pod's container."""

from __future__ import annotations

import pytest

from seclatch.errors import SeclatchError
from seclatch.model.pod import parse_pod
from seclatch.model.process import LiveContainer, LiveProcess, LiveThread
from seclatch.process.process_selection import ProcessSelection, describe_absence, select_processes
from seclatch.process.process_target import find_target


def process(pid: int, name: str, pod: str = "shop", namespace: str = "prod") -> LiveProcess:
    container = LiveContainer(f"{pid:064x}", name, "", "containerd", pod, namespace)
    return LiveProcess(
        pid, 1, 0, "S", ("x",), LiveThread(pid, "x", 2, 1, False), (), None, container
    )


SANDBOX, INIT, WEB = process(11, ""), process(12, "init"), process(13, "web")
OTHER = process(14, "web", namespace="test")
ALL = [SANDBOX, INIT, WEB, OTHER]


@pytest.mark.parametrize(
    ("text", "processes", "found"),
    [
        ("prod/shop/web", ALL, WEB),
        ("test/shop", ALL, OTHER),
        ("prod/shop", [SANDBOX, WEB, OTHER], WEB),
        ("prod/shop", [SANDBOX, OTHER], SANDBOX),
        ("init", ALL, INIT),
    ],
)
def test_a_container_of_a_pod(text: str, processes: list[LiveProcess], found: LiveProcess) -> None:
    assert find_target(text, processes) is found


@pytest.mark.parametrize(
    ("text", "listed"),
    [("prod/shop", "prod/shop/init, prod/shop/web"), ("web", "prod/shop/web, test/shop/web")],
)
def test_several_are_listed_by_their_pods(text: str, listed: str) -> None:
    with pytest.raises(SeclatchError, match=listed) as error:
        find_target(text, ALL)
    assert "NAMESPACE/POD/CONTAINER" in error.value.remedy


@pytest.mark.parametrize("text", ["prod/shop/db", "prod/nothing", "shop/web", "prod/shop/web/x"])
def test_no_such_container(text: str) -> None:
    with pytest.raises(SeclatchError, match="there is no"):
        find_target(text, ALL)


def test_a_pod_s_processes_are_selected_with_its_sandbox() -> None:
    assert select_processes(ALL, ProcessSelection(pods=(parse_pod("prod/shop"),))) == ALL[:3]
    assert select_processes(ALL, ProcessSelection(pods=(parse_pod("prod/shop/web"),))) == [WEB]
    [first, second] = describe_absence(ALL, ProcessSelection(pods=(parse_pod("a/b"),)))
    assert "in the pod a/b" in first
    assert "prod/shop/web" in second

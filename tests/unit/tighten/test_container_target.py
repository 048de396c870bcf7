"""The processes of a container that is to be tightened: found by its exact id."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from seclatch.errors import SeclatchError
from seclatch.model.process import LiveContainer, LiveProcess, LiveThread
from seclatch.profile.parse.profile_source import ProfileSource
from seclatch.tighten import tighten_target as module
from seclatch.tighten.automatic import put_running_profile as putting
from seclatch.tighten.automatic.running_annotations import RunningRequest
from seclatch.tighten.automatic.started_container import StartedContainer
from seclatch.tighten.tighten_container import TightenRequest
from seclatch.tighten.tighten_target import TightenTarget, find_container_target

HOST, INSIDE = 4_000_001, 4_000_002  # near the largest process id, without processes


def make_process(pid: int, identifier: str = "") -> LiveProcess:
    container = LiveContainer(identifier) if identifier else None
    main = LiveThread(pid, "x", 0, 0, no_new_privs=False)
    return LiveProcess(pid, 1, 0, "S", (), main, container=container)


@pytest.fixture(autouse=True)
def processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show a container whose id is the number of another process."""
    found = [make_process(HOST), make_process(INSIDE, str(HOST))]
    view = SimpleNamespace(processes=found, notes=())
    monkeypatch.setattr(module, "take_snapshot", lambda _: view)


def test_an_id_of_digits_is_no_process() -> None:
    target = find_container_target(INSIDE, str(HOST))
    assert (target.first.pid, target.selector) == (INSIDE, (str(INSIDE),))
    for pid, identifier in ((HOST, str(HOST)), (INSIDE, str(INSIDE))):
        with pytest.raises(SeclatchError, match="is not in container"):
            find_container_target(pid, identifier)


def test_nothing_is_bound_without_the_first_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that the supervisor watched is to be among those that would be bound."""
    seen: list[int] = []

    def prepare(_: TightenRequest, target: TightenTarget) -> SimpleNamespace:
        seen.append(target.first.pid)
        outcome = SimpleNamespace(processes=[SimpleNamespace(pid=HOST)])
        return SimpleNamespace(present=False, report=SimpleNamespace(outcome=outcome))

    monkeypatch.setattr(putting, "require_permission", lambda: None)
    monkeypatch.setattr(putting, "read_running_profile", lambda *_: ProfileSource("p", b"{}"))
    monkeypatch.setattr(putting, "prepare_filter", prepare)
    monkeypatch.setattr(putting, "put_on", lambda *_: pytest.fail("bound"))
    request = RunningRequest(str(HOST), "web", "1s", sessions=False)
    with pytest.raises(SeclatchError, match="not among those found"):
        putting.put_running_profile(
            request, "", Path("x"), StartedContainer(str(HOST), INSIDE, handle=-1)
        )
    assert seen == [INSIDE]


@pytest.mark.parametrize(
    ("path", "identity", "group"),
    [
        ("/a/docker-12ab.scope", "12ab", "/a/docker-12ab.scope"),
        ("/a/docker-" + "ab" * 32 + ".scope/sub", "ab" * 32, "/a/docker-" + "ab" * 32 + ".scope"),
        ("/a/libpod-conmon-" + "ab" * 32 + ".scope", "ab" * 32, ""),
        ("/user-1000.slice/1/x", "1", "/user-1000.slice/1"),
        ("/crun-web-1.scope", "web-1", "/crun-web-1.scope"),
        ("/crun-web-1.scope", "1", ""),
        ("/crun-web-12.scope", "web-1", ""),
    ],
)
def test_the_control_group_of_exactly_that_id(path: str, identity: str, group: str) -> None:
    assert module._cut_after(path.split("/"), identity) == group

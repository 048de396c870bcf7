"""Which processes of a container are selected to be bound."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import pytest

from seclatch.model.process import LiveProcess, LiveThread
from seclatch.tighten.roles import tighten_roles as module
from seclatch.tighten.roles.tighten_roles import RoleRequest, tighten_roles
from seclatch.tighten.tighten_container import PreparedFilter, TightenRequest
from seclatch.tighten.tighten_target import TightenTarget


class SelectedError(Exception):
    """Ends the run where the filter would be prepared."""


def test_a_process_that_got_the_id_of_one_that_ended_is_not_selected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The start time is that of before its role was read, and not of the process there is now."""
    pid, judged = os.getpid(), [7, 8]
    selected: list[tuple[str, ...]] = []
    first = LiveProcess(pid, 1, 0, "S", (), LiveThread(pid, "x", 0, 0, no_new_privs=False))
    target = TightenTarget("x", first, (str(pid),), whole=False)

    def read_roles(pids: Collection[int]) -> dict[int, str]:
        del judged[0]
        return dict.fromkeys(pids, "x:main")

    def prepare(_: TightenRequest, target: TightenTarget) -> PreparedFilter:
        selected.append(target.selector)
        raise SelectedError

    monkeypatch.setattr(module, "require_permission", lambda: None)
    monkeypatch.setattr(module, "find_tighten_target", lambda _: target)
    monkeypatch.setattr(module, "list_target_pids", lambda _: [pid])
    monkeypatch.setattr(module, "read_start", lambda _: judged[0])
    monkeypatch.setattr(module, "read_roles", read_roles)
    monkeypatch.setattr(module, "prepare_filter", prepare)
    request = TightenRequest("x", Path("p.json"))
    with pytest.raises(SelectedError):
        tighten_roles(RoleRequest(request, {"main": Path("p.json")}))
    assert selected == [("--alone", f"{pid}:7")]

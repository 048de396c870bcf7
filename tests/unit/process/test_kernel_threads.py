"""A process id that is a kernel thread's: the answer says so, not that there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seclatch.errors import SeclatchError
from seclatch.process import process_selection
from seclatch.process.process_selection import ProcessSelection, describe_absence
from seclatch.process.process_target import find_target
from seclatch.system.procfs import ProcStatus
from tests.unit.process.scene import entry


@pytest.fixture(autouse=True)
def _threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for /proc, in which a pid namespace shows no kernel threads."""

    def read(pid: int, _: int | None = None) -> ProcStatus | None:
        status = replace(entry(pid, 0, "kthreadd").status, has_memory=False)
        return status if pid == 2 else None

    monkeypatch.setattr(process_selection, "read_status", read)


def test_a_kernel_thread_has_no_filters() -> None:
    with pytest.raises(SeclatchError, match=r"process 2 \(kthreadd\) is a kernel thread"):
        find_target("2", [])
    with pytest.raises(SeclatchError, match="there is no process 3"):
        find_target("3", [])


def test_a_listing_names_it_and_what_is_missing() -> None:
    said = describe_absence([], ProcessSelection(pids=(2, 3)))
    assert "is a kernel thread" in said[0]
    assert said[1:] == ["no process was found with pid 3"]
    assert len(describe_absence([], ProcessSelection(pids=(2,)))) == 1

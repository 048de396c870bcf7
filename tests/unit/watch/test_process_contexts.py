"""What is read of processes, whose names are any bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from seclatch.model.process import LiveContainer
from seclatch.process.containers.known_container import KnownContainer
from seclatch.process.containers.membership import FoundContainer
from seclatch.watch import process_contexts
from seclatch.watch.process_contexts import DeniedProcesses
from tests.unit.process.scene import by_pid, entry


def test_a_claim_does_not_hide_the_names_of_a_pod_s_container(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pod's shim does not name it, so that of all argvs only that of any user's program does."""
    identity = "e" * 64
    claim = entry(8, 1, "conmon", argv=("conmon", "-c", identity, "-n", "coredns"))
    claim = replace(claim, status=replace(claim.status, uid=12345))

    def name(
        found: Iterable[FoundContainer], _entries: object, _notes: object
    ) -> dict[str, KnownContainer]:
        return {
            each.id: KnownContainer(LiveContainer(each.id), trusted=each.trusted) for each in found
        }

    monkeypatch.setattr(process_contexts, "read_entries", lambda: by_pid(claim))
    monkeypatch.setattr(process_contexts, "name_containers", name)
    known = DeniedProcesses()._name(
        FoundContainer(identity, "containerd", 2, "k8s.io", bundle="/proc/2/cwd")
    )
    assert known.trusted

from __future__ import annotations

import msgspec

from seclatch.model.recording.process_context import (
    CapabilitySets,
    ContextChange,
    NamespaceInodes,
    ProcessContext,
)
from seclatch.report.document.process_history import make_histories
from seclatch.report.document.process_tree import list_facts, list_nodes
from tests.unit.report.starts import start

ZERO = "0" * 16
OUTSIDE = NamespaceInodes(mnt=1, pid=2, user=3)


def context(**more: object) -> ProcessContext:
    values = {"uid": 1000, "gid": 1000, "euid": 0, "egid": 1000, "namespaces": OUTSIDE}
    return ProcessContext(**(values | more))


def capabilities(effective: str) -> CapabilitySets:
    return CapabilitySets(
        inheritable=ZERO, permitted=ZERO, effective=effective, bounding=ZERO, ambient=ZERO
    )


def test_facts() -> None:
    inside = context(
        capabilities=capabilities("00000000a80425fb"),
        no_new_privs=True,
        namespaces=NamespaceInodes(mnt=9, pid=8, user=3),
    )
    assert list_facts(inside, OUTSIDE) == ["14 capabilities", "own mnt pid", "no_new_privs"]
    assert list_facts(context(capabilities=capabilities(ZERO)), OUTSIDE) == ["no capabilities"]
    assert list_facts(context(), OUTSIDE) == []


def test_the_user_is_the_last_one_and_shows_a_gain() -> None:
    recording = start(latched=True)
    moment = ContextChange(time=0.3, thread=102, context=0)
    processes = [
        msgspec.structs.replace(each, contexts=[moment] if each.id == 2 else [])
        for each in recording.processes
    ]
    changed = msgspec.structs.replace(recording, processes=processes, contexts=[context()])
    nodes, _ = list_nodes(changed, make_histories(changed))
    assert [node.user for node in nodes] == ["0", "0", "1000 → 0:1000", ""]


def test_an_invalid_context_number_is_ignored() -> None:
    """A recording is a file, which may contain anything."""
    recording = start(latched=True)
    moment = ContextChange(time=0.3, thread=102, context=7)
    processes = [msgspec.structs.replace(each, contexts=[moment]) for each in recording.processes]
    broken = msgspec.structs.replace(recording, processes=processes)
    assert len(list_nodes(broken, make_histories(broken))[0]) == 4

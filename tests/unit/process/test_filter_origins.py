"""What loaded a filter."""

from __future__ import annotations

from typing import Any

from seclatch.model.process import FilterCause, FilterOrigin
from seclatch.process.containers.live_stages import find_stage
from seclatch.process.filter_origins import FilterOrigins, OriginInputs
from seclatch.process.thread_filters import ThreadFilters
from seclatch.process.tightened_records import TightenedFilter, digest_program
from seclatch.system.procfs import ProcEntry
from tests.unit.process.scene import by_pid, entry, held

SERVICE = ("/system.slice/web.service",)


def origins(entries: dict[int, ProcEntry], inside: set[int], *seen: Any) -> FilterOrigins:
    stages = {pid: find_stage(one, in_container=pid in inside) for pid, one in entries.items()}
    return FilterOrigins(
        OriginInputs(entries, stages, {one.tid: one for one in seen} if seen else None)
    )


CHAIN = by_pid(
    entry(1, 0, "systemd"),
    entry(10, 1, "containerd-shim-runc-v2"),
    entry(20, 10, "sh", filters=1),
    entry(30, 20, "sh", filters=2),
    entry(40, 30, "sleep", filters=2),
)
INSIDE = {20, 30, 40}


def test_origins_of_runtime_program_and_descendants() -> None:
    found = origins(CHAIN, INSIDE, held(20, 7), held(30, 8, 7), held(40, 8, 7))
    assert found.find_origins(20, (7,)) == (FilterOrigin(FilterCause.RUNTIME),)
    assert found.find_origins(30, (8, 7)) == (
        FilterOrigin(FilterCause.LOADED),
        FilterOrigin(FilterCause.INHERITED, 20, "sh"),
    )
    assert found.find_origins(40, (8, 7)) == (
        FilterOrigin(FilterCause.INHERITED, 30, "sh"),
        FilterOrigin(FilterCause.INHERITED, 20, "sh"),
    )


def test_origins_from_counts_are_uncertain() -> None:
    found = origins(CHAIN, INSIDE)
    assert found.estimate_origins(20, 1) == (FilterOrigin(FilterCause.RUNTIME, certain=False),)
    assert found.estimate_origins(40, 2) == (
        FilterOrigin(FilterCause.INHERITED, 30, "sh", certain=False),
        FilterOrigin(FilterCause.INHERITED, 20, "sh", certain=False),
    )
    assert str(found.estimate_origins(40, 2)[0]) == "perhaps inherited from 30 (sh)"


def test_a_program_that_loads_after_the_runtime() -> None:
    found = origins(CHAIN, INSIDE, held(20, 9, 7), held(30, 9, 7))
    assert found.find_origins(20, (9, 7)) == (
        FilterOrigin(FilterCause.LOADED),
        FilterOrigin(FilterCause.RUNTIME),
    )


def test_equal_number_of_other_filters_is_not_inherited() -> None:
    """Only the kernel distinguishes these: a child of a filtered process loads its own."""
    chain = by_pid(entry(2, 0, filters=1), entry(3, 2, filters=2))
    found = origins(chain, set(), held(2, 5), held(3, 6, 5))
    assert found.find_origins(3, (6, 5)) == (
        FilterOrigin(FilterCause.LOADED),
        FilterOrigin(FilterCause.INHERITED, 2, "sh"),
    )


def test_orphans_of_the_same_parent() -> None:
    orphans = by_pid(entry(1), entry(5, 1, filters=1), entry(6, 1, filters=1))
    found = origins(orphans, set(), held(5, 3), held(6, 3))
    assert (
        found.find_origins(5, (3,))
        == found.find_origins(6, (3,))
        == (FilterOrigin(FilterCause.ENDED),)
    )


def test_filter_of_a_systemd_unit() -> None:
    unit = by_pid(entry(1, 0, "systemd"), entry(5, 1, "nginx", filters=1, cgroups=SERVICE))
    found = origins(unit, set(), held(5, 3))
    assert found.find_origins(5, (3,)) == (
        FilterOrigin(FilterCause.UNIT, name="web.service", certain=False),
    )


def test_cycle_of_parents_terminates() -> None:
    """A listing is not atomic: reused pids may form a cycle."""
    circle = by_pid(entry(5, 6, filters=1), entry(6, 5, filters=1))
    assert len(origins(circle, set()).estimate_origins(5, 1)) == 1


def test_a_filter_that_an_older_child_lacks_was_not_loaded_by_the_runtime() -> None:
    """As one that a tracer loads into a running container whose runtime loaded none."""
    chain = by_pid(
        entry(10, 1, "containerd-shim-runc-v2"),
        entry(20, 10, "sh", filters=1),
        entry(30, 20, "sleep"),
    )
    found = origins(chain, {20, 30}, held(20, 7))
    assert found.find_origins(20, (7,)) == (FilterOrigin(FilterCause.LOADED),)
    bound = by_pid(*chain.values(), entry(30, 20, "sleep", filters=1))
    found = origins(bound, {20, 30}, held(20, 7), held(30, 9))
    assert found.find_origins(20, (7,)) == (FilterOrigin(FilterCause.LOADED),)


def test_a_recorded_filter_of_a_first_process_is_not_its_runtimes() -> None:
    """Its only filter, put on it by `seclatch tighten`, looks like the runtime's."""
    chain = by_pid(entry(10, 1, "containerd-shim-runc-v2"), entry(20, 10, "sh", filters=1))
    code = bytes([7])
    record = TightenedFilter(20, 0, digest_program(code), "2026-11-27T10:00:00+00:00")
    bound = {20: held(20, 7)}
    for tightened, cause in (
        ({}, FilterCause.RUNTIME),
        ({(20, record.digest): record}, FilterCause.TIGHTENED),
    ):
        threads = ThreadFilters(
            origins(chain, {20}, *bound.values()),
            bound,
            {},
            {},
            every_thread=False,
            tightened=tightened,
        )
        main, _ = threads.describe(chain[20])
        assert [layer.origin.cause for layer in main.layers] == [cause]

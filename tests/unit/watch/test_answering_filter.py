"""Which filter of a stack answered, and how: decided by running them on the call."""

from __future__ import annotations

import struct

import pytest

from seclatch.model.action import ActionKind
from seclatch.model.arch import Arch
from seclatch.model.seen_denial import CallDetails, SeenAnswer, SeenDenial, SeenProcess
from seclatch.watch import answering_filter
from seclatch.watch.answering_filter import AnswerFinder, FoundAnswer
from seclatch.watch.sources import filter_copies
from seclatch.watch.sources.filter_copies import FilterCopies
from seclatch.watch.sources.watch_abi import COPY

DENIED, ALLOWED = 110, 39


def find_answer(denial: SeenDenial) -> FoundAnswer | None:
    return AnswerFinder().find(denial)


def program(value: int) -> bytes:
    """Answer `value` to number DENIED, and allow the rest."""
    rows = [(0x20, 0, 0, 0), (0x15, 0, 1, DENIED), (0x06, 0, 0, value), (0x06, 0, 0, 0x7FFF0000)]
    return b"".join(struct.pack("<HBBI", *row) for row in rows)


def seen(
    answer: SeenAnswer, *layers: bytes, number: int = DENIED, unsure: bool = False
) -> SeenDenial:
    details = CallDetails(tid=1, uid=0, comm="x", args=(0,) * 6, layers=layers)
    return SeenDenial(
        process=SeenProcess(1),
        arch=Arch.X86_64,
        number=number,
        answer=answer,
        error=1,
        count=1,
        first=1,
        last=1,
        source="ebpf",
        details=details,
        unsure=unsure,
    )


def of(kind: ActionKind, data: int = 0) -> bytes:
    return program(kind.value | data)


@pytest.mark.parametrize(
    ("answer", "kind", "found"),
    [
        (SeenAnswer.RETURNED, ActionKind.ERRNO, "errno"),
        (SeenAnswer.RETURNED, ActionKind.TRACE, "trace"),
        (SeenAnswer.RETURNED, ActionKind.NOTIFY, "notify"),
        (SeenAnswer.KILL, ActionKind.KILL_THREAD, "kill-thread"),
        (SeenAnswer.KILL, ActionKind.KILL_PROCESS, "kill-process"),
        (SeenAnswer.TRAP, ActionKind.TRAP, "trap"),
        (SeenAnswer.LOG, ActionKind.LOG, "log"),
    ],
)
def test_each_answer_is_settled_by_the_filter(
    answer: SeenAnswer, kind: ActionKind, found: str
) -> None:
    answered = find_answer(seen(answer, of(kind)))
    assert answered is not None
    assert (answered.answer, answered.code) == (found, of(kind))


def test_the_strictest_of_a_stack_answered() -> None:
    newest, middle, oldest = of(ActionKind.LOG), of(ActionKind.ERRNO, 5), of(ActionKind.ALLOW)
    answered = find_answer(seen(SeenAnswer.RETURNED, newest, middle, oldest))
    assert answered is not None and answered.code == middle
    assert answered.action is not None and answered.action.data == 5


def test_what_the_filter_allows_was_the_kernel_s_own_failure() -> None:
    allowed = seen(SeenAnswer.RETURNED, of(ActionKind.ERRNO), number=ALLOWED, unsure=True)
    assert find_answer(allowed) is None
    denied = seen(SeenAnswer.RETURNED, of(ActionKind.ERRNO), unsure=True)
    assert find_answer(denied) is not None


def test_what_was_seen_for_sure_stays_though_no_filter_explains_it() -> None:
    for denial in (
        seen(SeenAnswer.RETURNED, of(ActionKind.ERRNO), number=ALLOWED),
        seen(SeenAnswer.RETURNED),
    ):
        answered = find_answer(denial)
        assert answered is not None and (answered.answer, answered.code) == ("errno", b"")
    assert find_answer(seen(SeenAnswer.RETURNED, unsure=True)) is None


def copy(started: int, address: int, previous: int, code: bytes) -> bytes:
    return COPY.pack(started, 7, len(code) // 8, address, previous) + code + b"rest"


def test_a_stack_is_put_together_from_copies() -> None:
    copies, process = FilterCopies(), SeenProcess(7, 1)
    old, new = of(ActionKind.ERRNO), of(ActionKind.TRAP)
    copies.add(copy(1, 0x20, 0x10, new))
    assert copies.find_layers(process, 0x20) == ()
    copies.add(copy(1, 0x10, 0, old))
    assert copies.find_layers(process, 0x20) == (new, old)
    assert copies.find_layers(process, 0x10) == (old,)
    assert copies.find_layers(SeenProcess(7, 2), 0x20) == ()
    copies.add(copy(1, 0x30, 0x30, new))  # a circle, if memory was overwritten
    assert copies.find_layers(process, 0x30) == ()
    copies.add(copy(1, 0x40, 0, b""))  # not kept by the kernel
    assert copies.find_layers(process, 0x40) == ()


def test_copies_are_bounded_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert filter_copies._MAX_BYTES == 32 << 20
    monkeypatch.setattr(filter_copies, "_MAX_BYTES", 40_000)
    copies = FilterCopies()
    for number in range(50):
        code = of(ActionKind.ERRNO, number) * 100
        copies.add(copy(1, 0x10 + number, 0, code))
        copies.add(copy(2, 0x10 + number, 0, code))  # shared, and counted once
    assert sum(map(len, copies._codes)) == copies._bytes <= 40_000
    assert len(copies._kept) == 2 * len(copies._codes) == 24
    assert set(copies._codes) == set(copies._uses)
    assert copies.find_layers(SeenProcess(7, 2), 0x10 + 49) == (code,)
    assert copies.find_layers(SeenProcess(7, 2), 0x10) == ()


def test_decoded_filters_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering_filter, "_MAX_DECODED", 40)
    finder = AnswerFinder()
    for number in range(100):
        assert finder.find(seen(SeenAnswer.RETURNED, of(ActionKind.ERRNO, number)))
    assert len(finder._decoded) == 10 and finder._instructions == 40


def test_without_time_what_was_seen_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    finder = AnswerFinder()

    def read_clock() -> float:
        now[0] += 0.6
        return now[0]

    monkeypatch.setattr("time.monotonic", read_clock)
    denial = seen(SeenAnswer.RETURNED, of(ActionKind.TRACE))
    answers = [found.answer for _ in range(5) if (found := finder.find(denial))]
    assert answers == ["trace", "trace", "errno", "errno", "errno"]
    assert finder.find(seen(SeenAnswer.RETURNED, of(ActionKind.ERRNO), unsure=True)) is None
    assert finder.take_undecided() == 1 and finder.take_undecided() == 0
    finder.begin_epoch()
    found = finder.find(denial)
    assert found is not None and found.answer == "trace"

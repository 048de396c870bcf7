"""Audit lines: what the kernel writes is read, and no name forges a field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.model.arch import Arch
from seclatch.model.seen_denial import SeenAnswer
from seclatch.watch.sources.audit_denials import parse_line

LINE = (
    "audit(1795772282.952:8841): auid=4294967295 uid=1000 gid=0 ses=4294967295 {subject}pid=77 "
    "comm={comm} exe={exe} sig=31 arch={arch} syscall={number} compat=0 ip=0x7f60d3cfca02 "
    "code=0x{code}"
)


def line(**values: str) -> str:
    plain = {
        "subject": "",
        "comm": '"crun"',
        "exe": '"/usr/bin/crun"',
        "arch": "c000003e",
        "number": "3",
        "code": "80000000",
    }
    return LINE.format(**{**plain, **values})


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("80000000", SeenAnswer.KILL_PROCESS),
        ("0", SeenAnswer.KILL_THREAD),
        ("30000", SeenAnswer.TRAP),
        ("50000", SeenAnswer.ERRNO),
        ("7ff00000", SeenAnswer.TRACE),
        ("7fc00000", SeenAnswer.NOTIFY),
        ("7ffc0000", SeenAnswer.LOG),
    ],
)
def test_each_action(code: str, answer: SeenAnswer) -> None:
    found = parse_line(line(code=code))
    assert found is not None and found.details is not None
    assert (found.answer, found.process.pid, found.number, found.arch) == (
        answer,
        77,
        3,
        Arch.X86_64,
    )
    assert (found.details.comm, found.details.program, found.details.uid) == ("crun", "crun", 1000)
    assert found.first == 1795772282952 * 1_000_000


def test_variants() -> None:
    assert parse_line(line(subject="subj=system_u:system_r:x:s0 "))
    assert parse_line(line(subject="subj=docker-default (enforce) "))
    compat = parse_line(line(arch="40000003"))
    assert compat is not None and compat.arch is Arch.X86
    x32 = parse_line(line(number=str(Arch.X32.offset | 5)))
    assert x32 is not None and x32.arch is Arch.X32
    negative = parse_line(line(number="-1"))
    assert negative is not None and negative.number == 0xFFFFFFFF
    name = parse_line(line(comm=b'a"\n pid=1'.hex().upper(), exe="(null)"))
    assert name is not None and name.details is not None
    assert (name.details.comm, name.details.program) == ('a"\n pid=1', "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        line(arch="ffffffff"),
        line(comm="nothex"),
        line(comm='"a" pid=1'),
        line(number="x"),
        line()[:100],
        "x" + line(),
    ],
)
def test_other_lines_are_left_alone(text: str) -> None:
    assert parse_line(text) is None


@given(st.text())
def test_no_line_is_too_much(text: str) -> None:
    parse_line(text)
    parse_line(line(comm=text))

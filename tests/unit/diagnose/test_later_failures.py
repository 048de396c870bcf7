"""Which later failures follow from a denied call."""

from __future__ import annotations

from errno import EACCES, ECONNREFUSED, EEXIST, ENOENT

import pytest

from seclatch.diagnose.failure.later_failures import Relation, relate
from seclatch.recording.backends.bpf.detail_events import DetailFlag, Seen, What


def seen(what: What, time: int, code: int, *paths: str, flags: int = 0) -> Seen:
    args = (0, 0, flags, 0, 0, 0)
    return Seen(what, time, 1, 1, DetailFlag(0), 0, -code, args, *paths)


@pytest.mark.parametrize(
    ("call", "denied", "code", "failed", "relation"),
    [
        ("mkdir", "/srv/d", ENOENT, "/srv/d/f", Relation.YES),
        ("mkdir", "/srv/d", ENOENT, "/srv/d", Relation.YES),
        ("mkdir", "/srv/d/", ENOENT, "/srv/d/../d/f", Relation.YES),
        ("mkdir", "/srv/d", ENOENT, "/srv/data", Relation.MAYBE),
        ("mkdir", "/srv/d", ENOENT, "/license", Relation.NO),
        ("mkdir", "/srv/d", EACCES, "/etc/shadow", Relation.NO),
        ("mkdir", "/srv/d", EACCES, "/srv/d", Relation.MAYBE),
        ("mkdir", "d", ENOENT, "/srv/d/f", Relation.MAYBE),
        ("chmod", "/srv/x", EACCES, "/srv/x", Relation.YES),
        ("chown", "/srv/s", EACCES, "/srv/s", Relation.YES),
        ("fchmod", "", EACCES, "/srv/s", Relation.MAYBE),
        ("unlink", "/srv/s", EEXIST, "/srv/s", Relation.YES),
        ("setuid", "", EACCES, "/srv/s", Relation.MAYBE),
        ("bind", "", ECONNREFUSED, "", Relation.MAYBE),
        ("sched_setaffinity", "", ENOENT, "/nowhere", Relation.NO),
    ],
)
def test_relation(call: str, denied: str, code: int, failed: str, relation: Relation) -> None:
    first, later = seen(What.REFUSED, 1, 1, denied), seen(What.FAILED, 2, code, failed)
    assert relate(first, call, later) is relation


def test_both_paths_of_a_link_count() -> None:
    denied = seen(What.REFUSED, 1, 1, "/etc/passwd", "/etc/p2")
    assert relate(denied, "linkat", seen(What.FAILED, 2, ENOENT, "/etc/p2")) is Relation.YES


def test_what_failed_before_is_not_the_denial_s() -> None:
    """Though of a file that a program had looked for, before it was denied to make it."""
    denied, failed = seen(What.REFUSED, 2, 1, "/d"), seen(What.FAILED, 1, ENOENT, "/d")
    assert relate(denied, "mkdir", failed) is Relation.MAYBE
    other = seen(What.FAILED, 1, ENOENT, "/e")
    assert relate(denied, "mkdir", other) is Relation.NO


def test_a_file_that_is_opened_to_be_made() -> None:
    failed = seen(What.FAILED, 2, ENOENT, "/srv/f")
    for flags, relation in ((0o100, Relation.YES), (0, Relation.MAYBE)):
        assert relate(seen(What.REFUSED, 1, 1, "/srv/f", flags=flags), "openat", failed) is relation


@pytest.mark.parametrize(
    ("words", "failed", "relation"),
    [
        (("gcc", "-o", "/srv/a", "/srv/a.c"), "/srv/a", Relation.YES),
        (("rsync", "-a", "/etc", "/srv/"), "/srv/passwd", Relation.MAYBE),
        (("dpkg", "-i", "/srv/demo.deb"), "/opt/demo/run", Relation.MAYBE),
        (("mkdir", "/srv/d"), "/nowhere", Relation.NO),
        (("mount", "--bind", "/etc", "/mnt"), "/mnt/hostname", Relation.YES),
    ],
)
def test_a_program_that_failed_by_its_operands(
    words: tuple[str, ...], failed: str, relation: Relation
) -> None:
    later = seen(What.FAILED, 2, ENOENT, failed)
    assert relate(seen(What.REFUSED, 1, 1), "vfork", later, words) is relation

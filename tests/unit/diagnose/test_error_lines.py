"""Which error, call and file a line of output is about."""

from __future__ import annotations

from errno import EACCES, EEXIST, ENOENT, EPERM

import pytest

from seclatch.diagnose.denials.error_lines import (
    find_errnos,
    find_implied_errnos,
    is_consequence,
    is_warning,
    names_call,
    names_path,
    names_path_below,
)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("mkdir: cannot create directory '/d': Operation not permitted", {EPERM}),
        ("PermissionError: [Errno 13] Permission denied: '/etc/shadow'", {EACCES}),
        ("Error: EPERM: operation not permitted, mkdir '/srv/x'", {EPERM}),
        ("  errno: -1,", {EPERM}),
        ('Os { code: 2, kind: NotFound, message: "No such file or directory" }', {ENOENT}),
        ("nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)", {EACCES}),
        ("java.nio.file.AccessDeniedException: /srv/x", {EACCES}),
        ("queue is empty", set()),
        ("listening on port 13", set()),
    ],
)
def test_errors_are_read(text: str, numbers: set[int]) -> None:
    assert find_errnos(text) == numbers


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("sh: 1: /opt/run: not found", {ENOENT}),
        ("table users already exists", {EEXIST}),
        ("queue is empty", set()),
    ],
)
def test_errors_in_a_programs_own_words(text: str, numbers: set[int]) -> None:
    assert find_implied_errnos(text) == numbers


@pytest.mark.parametrize(
    ("text", "path", "named"),
    [
        ("cannot open '/srv/d/f'", "/srv/d/f", True),
        ("cannot open '/srv/d/f'", "/srv/d", False),
        ("cannot open '/srv/data'", "/srv/d", False),
        ("config.json: bad", "/etc/app/config.json", True),
        ("config.json5: bad", "/etc/app/config.json", False),
        ("no d", "d", False),
    ],
)
def test_paths_stand_alone(text: str, path: str, named: bool) -> None:
    assert names_path(text, path) is named


def test_a_file_below_a_directory() -> None:
    assert names_path_below("cannot open '/srv/d/f'", "/srv/d")
    assert not names_path_below("cannot open '/srv/data/f'", "/srv/d")


@pytest.mark.parametrize(
    ("text", "call", "named"),
    [
        ("Failed system call was shmget(key=1)", "shmget", True),
        ("RuntimeError: can't start new thread", "clone3", True),
        ("runtime: epollcreate failed with 1", "epoll_create1", True),
        ("mkdir: cannot create", "mkdirat", True),
        ("/usr/bin/mkdir is there", "mkdirat", False),
        ("queue is empty", "mkdir", False),
    ],
)
def test_calls_by_the_words_of_programs(text: str, call: str, named: bool) -> None:
    assert names_call(text, call) is named


def test_warnings_and_consequences() -> None:
    assert is_warning("warning: cannot create the cache, continuing without")
    assert not is_warning("mkdir: cannot create directory")
    for line in (
        "Node.js v20.19.2",
        "at main (x.js:3)",
        "code: 'EPERM',",
        "exited with code 1",
    ):
        assert is_consequence(line), line
    for line in ("no licence", "E: Could not read /srv/demo.deb"):
        assert not is_consequence(line), line

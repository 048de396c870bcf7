"""Hold the tests below tests/unit to values: no process, thread, signal, socket or waiting.

A pytest plugin. What such tests do would depend on how busy the machine is; they would fail by
chance, and tests below tests/unit have no second try (tests/chance.py).
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests import chance

# Audit events (https://docs.python.org/3/library/audit_events.html), which no code can evade.
FORBIDDEN = {
    *("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system"),
    *("os.kill", "os.killpg", "signal.pthread_kill", "socket.bind", "socket.connect"),
}

# A profile is compiled in a child, whose result depends on the profile alone.
ALLOWED = "run_bounded"

_MAIN = threading.get_ident()
_seen: list[str] | None = None


def _notice(event: str, arguments: tuple[object, ...]) -> None:
    """Keep what a test of values does; an audit hook cannot be removed again."""
    if _seen is None or event not in FORBIDDEN or threading.get_ident() != _MAIN:
        return
    if event == "os.fork" and sys._getframe(1).f_code.co_name == ALLOWED:
        return
    _seen.append(f"{event} {arguments[:1] or ''}")


sys.addaudithook(_notice)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    with _watch(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    with _watch(item):
        return (yield)


def _noticed(function: Callable[..., None], name: str, seen: list[str]) -> Callable[..., None]:
    def call(*arguments: object) -> None:
        seen.append(f"{name} {arguments}")
        function(*arguments)

    return call


@contextmanager
def _watch(item: pytest.Item) -> Iterator[None]:
    """Fail a phase of a test of values that does what only tests of the real thing may do."""
    global _seen  # noqa: PLW0603 (the hook is a function of the interpreter, and has no object)
    if not item.path.is_relative_to(chance.PURE):
        yield
        return
    marks = {mark.name for mark in item.iter_markers()} & {"root", "engine"}
    _seen = seen = [f"it is marked {name}" for name in sorted(marks)]
    with pytest.MonkeyPatch.context() as patch:  # these two have no audit event in Python 3.11
        for owner, name in ((time, "sleep"), (threading.Thread, "start")):
            patch.setattr(owner, name, _noticed(getattr(owner, name), name, seen))
        try:
            yield
        finally:
            _seen = None
    if seen:
        pytest.fail(f"no test of values, but in tests/unit: {', '.join(dict.fromkeys(seen))}")

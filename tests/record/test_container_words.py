"""Execs on the host with a container's id in argv: whose the kernel programs follow."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

import pytest

from seclatch.recording.backends.bpf.container_scope import ContainerScope
from seclatch.recording.backends.bpf.shared_backend import SharedEbpf
from seclatch.recording.trace.trace import Trace

pytestmark = pytest.mark.root

SCOPE = ContainerScope(word="3f4c" * 16)
NAMED = ("/bin/true", SCOPE.word)
NOBODY = 65534


@pytest.fixture
def backend() -> Iterator[SharedEbpf]:
    with contextlib.closing(SharedEbpf()) as made:
        yield made


def follow(backend: SharedEbpf, number: int) -> Trace:
    trace = backend.harvest.add(number)
    backend.enter(number, SCOPE)
    return trace


def count_followed(backend: SharedEbpf, trace: Trace) -> int:
    """Count the processes of a trace up to now."""
    backend.harvest.catch_up()
    return len(trace.segments)


def test_a_later_recording_keeps_the_keys_of_the_same_id(backend: SharedEbpf) -> None:
    """As of a container that is started again before its first recording has been written."""
    first, second = follow(backend, 1), follow(backend, 2)
    backend.forget(1, SCOPE)
    subprocess.run(NAMED, check=True)
    assert (count_followed(backend, first), count_followed(backend, second)) == (0, 1)
    backend.forget(2, SCOPE)
    assert backend.probe.map("words").items() == []


def test_only_root_s_programs_are_followed_by_argv(backend: SharedEbpf) -> None:
    trace = follow(backend, 1)
    for words in (NAMED, ("unshare", "--user", "--map-root-user", *NAMED)):
        subprocess.run(words, check=True, user=NOBODY, group=NOBODY, extra_groups=())
    assert count_followed(backend, trace) == 0
    subprocess.run(NAMED, check=True)
    assert count_followed(backend, trace) == 1

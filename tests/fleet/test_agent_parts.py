"""The lock, the host's root, and the wire format."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.agent.agent_lock import hold_agent_lock
from seclatch.agent.mounted_host import open_host_root
from seclatch.agent.protobuf_wire import decode_message, encode_message
from seclatch.engines.installation.host_root import HostRoot
from seclatch.errors import SeclatchError


def test_two_agents_at_once(tmp_path: Path) -> None:
    """The second one changes nothing; a killed one leaves no lock."""
    root = HostRoot(tmp_path)
    with (
        hold_agent_lock(root),
        pytest.raises(SeclatchError, match="another `seclatch node` is changing this host"),
        hold_agent_lock(root, seconds=0.2),
    ):
        raise AssertionError
    held = ["flock", str(tmp_path / "run/seclatch/node.lock"), "sh", "-c", "echo; sleep 100"]
    with subprocess.Popen(held, stdout=subprocess.PIPE, start_new_session=True) as other:
        assert other.stdout and other.stdout.readline()
        with pytest.raises(SeclatchError), hold_agent_lock(root, seconds=0.2):
            raise AssertionError
        os.killpg(other.pid, 9)
    with hold_agent_lock(root):
        pass


def test_a_tree_that_is_not_the_running_host(tmp_path: Path) -> None:
    assert open_host_root(Path("/")) == HostRoot()
    with pytest.raises(SeclatchError, match="process 1") as refused:
        open_host_root(tmp_path)
    assert "hostPID" in refused.value.remedy


_NUMBERS = st.integers(0, 2**64 - 1)
_VALUES = st.one_of(_NUMBERS, st.text())


@given(st.lists(st.tuples(st.integers(1, 2**29 - 1), _VALUES), max_size=6))
def test_messages_are_read_as_written(fields: list[tuple[int, int | str]]) -> None:
    expected: dict[int, list[int | bytes]] = {}
    for number, value in fields:
        read = value.encode() if isinstance(value, str) else value
        expected.setdefault(number, []).append(read)
    assert decode_message(encode_message(tuple(fields))) == expected


@given(st.binary())
def test_no_answer_crashes_the_reader(content: bytes) -> None:
    try:
        decode_message(content)
    except SeclatchError as error:
        assert "not a protocol buffer" in str(error)

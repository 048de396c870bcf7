"""The layouts in Python are those of native/bpf/watch.h, by the objects' own BTF."""

from __future__ import annotations

import pytest

from seclatch.model.seen_denial import SeenAnswer
from seclatch.system.btf import Btf
from seclatch.watch.sources import watch_abi
from seclatch.watch.sources.watch_abi import DenialMode, Watcher
from tests.unit.bpf.objects import import_compiled, read_object

OBJECTS = ("watch.x86_64", "watch.aarch64")
# A member and the format of all that is before it.
EVENT = {
    "time": "",
    "pointer": "Q",
    "arguments": "QQ",
    "filter": "QQ6Q",
    "cgroup": "QQ6QQ",
    "reaper": "QQ6QQQ",
    "tid": "QQ6QQQQ",
    "uid": "QQ6QQQQI",
    "pids": "QQ6QQQQII",
    "origin": "QQ6QQQQIII",
    "outside": "QQ6QQQQIIII",
    "filters": "QQ6QQQQIIIII",
    "length": "QQ6QQQQIIIIII",
    "comm": "QQ6QQQQIIIIIIII",
    "program": "QQ6QQQQIIIIIIII16s",
    "text": "QQ6QQQQIIIIIIII16s64s",
}
KEY = {
    "started": "",
    "tgid": "Q",
    "number": "QI",
    "mode": "QII",
    "answer": "QIII",
    "error": "QIIII",
    "values": "QIIIIiI",
}
COPY = {"started": "", "tgid": "Q", "length": "QI", "filter": "QII", "previous": "QIIQ"}


@pytest.fixture(scope="module", params=OBJECTS)
def btf(request: pytest.FixtureRequest) -> Btf:
    return read_object(request.param).btf


def sizes(members: dict[str, str]) -> dict[str, int]:
    import struct

    return {name: struct.calcsize("=" + before) for name, before in members.items()}


def test_offsets(btf: Btf) -> None:
    assert sizes(KEY) == {name: btf.offset(f"denied_key.{name}") for name in KEY}
    assert sizes(COPY) == {name: btf.offset(f"filter_copy.{name}") for name in COPY}
    begin = watch_abi.KEY.size
    assert {name: begin + size for name, size in sizes(EVENT).items()} == {
        name: btf.offset(f"denial.{name}") for name in EVENT
    }
    assert {name: getattr(Watcher, name.upper()) for name in ("epoch", "uncounted", "unsent")} == {
        name: btf.offset(f"watcher.{name}") for name in ("epoch", "uncounted", "unsent")
    }


def test_sizes(btf: Btf) -> None:
    assert btf.size("denied_key") == watch_abi.KEY.size
    assert btf.size("denied_count") == watch_abi.COUNT.size
    assert btf.size("denial") == watch_abi.KEY.size + watch_abi.EVENT.size
    assert btf.size("filter_copy") == watch_abi.COPY.size
    assert btf.size("watcher") == Watcher.SIZE


def test_answers_and_modes(btf: Btf) -> None:
    (answers,) = btf.named("denial_answer")
    assert {name: value for name, value, _ in answers.members} == {
        f"ANSWER_{answer.name}": answer.value for answer in SeenAnswer
    }
    (modes,) = btf.named("denial_mode")
    assert {name: value for name, value, _ in modes.members} == {
        f"DENIAL_{mode.name}": mode.value for mode in DenialMode
    }


@pytest.mark.parametrize("name", OBJECTS)
def test_sizes_of_maps(name: str) -> None:
    found = import_compiled(name)
    assert found.maps["denied"].entries == watch_abi.KEYS
    assert found.maps["denials"].entries == watch_abi.DENIAL_RING
    assert found.maps["copies"].entries == watch_abi.COPY_RING

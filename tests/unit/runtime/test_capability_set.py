"""The container's capabilities from --cap-add and --cap-drop."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.errors import InputError
from seclatch.model.capability import CAPABILITIES, name_capabilities
from seclatch.runtime.capability_set import (
    DEFAULT,
    grant_capabilities,
    parse_capabilities,
)

ALL = frozenset(CAPABILITIES)


def test_numbers_are_the_kernels() -> None:
    assert CAPABILITIES.index("CAP_SYS_ADMIN") == 21
    assert CAPABILITIES.index("CAP_CHECKPOINT_RESTORE") == 40
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    assert last <= len(CAPABILITIES) - 1, "the kernel has capabilities without a name here"


def test_default_is_dockers_fourteen() -> None:
    assert set(grant_capabilities((), (), ALL)) == DEFAULT
    assert len(DEFAULT) == 14


@pytest.mark.parametrize("spelling", ["NET_ADMIN", "cap_net_admin", "Net_Admin"])
def test_spellings(spelling: Any) -> None:
    assert parse_capabilities("--cap-add", spelling) == {"CAP_NET_ADMIN"}


@pytest.mark.parametrize("bad", ["", "CAP_", "NET", "CAP_CAP_KILL", "KILL\n"])
def test_unknown(bad: Any) -> None:
    with pytest.raises(InputError, match="--cap-drop"):
        grant_capabilities((), (bad,), ALL)


def test_all() -> None:
    assert grant_capabilities(("ALL",), (), ALL) == CAPABILITIES
    assert grant_capabilities(("all",), ("SYS_ADMIN",), ALL) == tuple(
        name for name in CAPABILITIES if name != "CAP_SYS_ADMIN"
    )
    assert grant_capabilities((), ("ALL",), ALL) == ()
    assert grant_capabilities(("KILL",), ("ALL",), ALL) == ("CAP_KILL",)


def test_all_is_limited_to_the_bounding_set_and_a_name_is_not() -> None:
    available = frozenset({"CAP_KILL"})
    assert set(grant_capabilities(("ALL",), ("ALL",), available)) == available
    assert "CAP_SYS_ADMIN" in grant_capabilities(("SYS_ADMIN",), (), available)


@given(st.sets(st.sampled_from(CAPABILITIES)))
def test_mask_round_trip(names: Any) -> None:
    assert name_capabilities(sum(1 << CAPABILITIES.index(name) for name in names)) == names


@given(st.lists(st.sampled_from(CAPABILITIES)), st.lists(st.sampled_from(CAPABILITIES)))
def test_named_drops_are_never_granted(add: Any, drop: Any) -> None:
    result = grant_capabilities(add, drop, ALL)
    assert not set(drop) & set(result)
    assert (set(add) | DEFAULT) - set(drop) == set(result)
    assert list(result) == sorted(result, key=CAPABILITIES.index)

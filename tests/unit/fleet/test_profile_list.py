"""Lists of a node's profiles."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seclatch.errors import InputError
from seclatch.fleet.profile_list import (
    ListedProfile,
    read_profile_list,
    require_registry,
    write_profile_list,
)
from seclatch.registry.reference import parse_reference

REFERENCE = f"registry.example/profiles/web@sha256:{'0123456789abcdef' * 4}"


def read(folder: Path, text: str) -> list[ListedProfile]:
    file = folder / "profiles.list"
    file.write_text(text)
    return read_profile_list(file)


def test_a_list(tmp_path: Path) -> None:
    text = f"# profiles\n\nweb {REFERENCE}\nshop.db  {REFERENCE}  # for one namespace\n"
    found = read(tmp_path, text)
    assert [one.file_name for one in found] == [
        "web-0123456789ab.json",
        "shop.db-0123456789ab.json",
    ]
    assert read(tmp_path, write_profile_list(found)) == found


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("web", "not NAME"),
        (f"Web {REFERENCE}", "not NAME"),
        (f"../web {REFERENCE}", "not NAME"),
        (f"a/b {REFERENCE}", "not NAME"),
        (f"a.b.c {REFERENCE}", "not NAME"),
        (f"web {REFERENCE} more", "not NAME"),
        ("web registry.example/web:1", "not pinned"),
        ("web nginx", "not a reference"),
        ("w\x1b[2J x", "not NAME"),
    ],
)
def test_what_is_refused(tmp_path: Path, line: str, rule: str) -> None:
    with pytest.raises(InputError, match=rule) as caught:
        read(tmp_path, f"\n{line}\n")
    assert "line 2" in str(caught.value) or rule == "not a reference"
    assert str(caught.value).isprintable()


def test_two_contents_of_one_name(tmp_path: Path) -> None:
    """Twelve digits are the same by intent only."""
    other = REFERENCE[:-1] + "0"
    with pytest.raises(InputError, match="another's"):
        read(tmp_path, f"web {REFERENCE}\nweb {other}\n")
    assert len(read(tmp_path, f"web {REFERENCE}\nweb {REFERENCE}\n")) == 1


def test_another_registry() -> None:
    one = [ListedProfile("web", parse_reference(REFERENCE))]
    require_registry(one, "registry.example/profiles", "x")
    require_registry(one, "registry.example/", "x")
    for prefix in ("registry.example/prof", "registry.examples", "other.example"):
        with pytest.raises(InputError, match="not below"):
            require_registry(one, prefix, "x")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "list"
    file.write_bytes(data)
    try:
        found = read_profile_list(file)
    except InputError as error:
        assert str(error).isprintable()
    else:
        assert all("/" not in one.file_name for one in found)

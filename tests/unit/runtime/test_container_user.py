"""--user against passwd(5) and group(5) of a rootfs that may be hostile."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.errors import InputError
from seclatch.runtime.container_user import UserIdentity, resolve_user

PASSWD = """root:x:0:0:root:/root:/bin/sh
web:x:33:44:Web:/srv/web:/bin/false
123:x:7:8:a name of digits:/n:/bin/sh
nohome:x:50:51:::/bin/sh
"""
GROUP = """root:x:0:
staff:x:60:web,other
web:x:44:web
more:x:61:web
"""


@pytest.mark.parametrize(
    ("user", "identity"),
    [
        ("", UserIdentity(0, 0, (), "/root")),
        ("root", UserIdentity(0, 0, (), "/root")),
        ("web", UserIdentity(33, 44, (60, 61), "/srv/web")),
        ("33", UserIdentity(33, 44, (60, 61), "/srv/web")),
        ("web:staff", UserIdentity(33, 60, (), "/srv/web")),
        ("web:99", UserIdentity(33, 99, (), "/srv/web")),
        ("1000", UserIdentity(1000, 0, (), "/")),
        ("1000:1001", UserIdentity(1000, 1001, (), "/")),
        ("2147483647:0", UserIdentity(2147483647, 0, (), "/")),
        ("123", UserIdentity(7, 8, (), "/n")),
        ("nohome", UserIdentity(50, 51, (), "/")),
        (":staff", UserIdentity(0, 60, (), "/root")),
    ],
)
def test_identify(user: Any, identity: Any) -> None:
    assert resolve_user(user, PASSWD, GROUP) == identity


@pytest.mark.parametrize(
    "user", ["nobody", "web:", "web:nogroup", "2147483648", "-1", "99999999999999", "٣", "1:-1"]
)
def test_refused(user: Any) -> None:
    with pytest.raises(InputError, match="--user"):
        resolve_user(user, PASSWD, GROUP)


def test_rootfs_without_the_files() -> None:
    assert resolve_user("", "", "") == UserIdentity(0, 0, (), "/root")
    assert resolve_user("12:13", "", "") == UserIdentity(12, 13, (), "/")


def test_malformed_lines_are_skipped() -> None:
    passwd = "a:x:b:c:::\n:x:1:1::/:\nshort:x:1\nbig:x:99999999999:1::/:\nweb:x:1:1::rel:\n"
    assert resolve_user("web", passwd, "::\nx:y:z:web\n") == UserIdentity(1, 1, (), "/")
    for name in ("a", "short", "big"):
        with pytest.raises(InputError):
            resolve_user(name, passwd, "")


@given(st.text(max_size=40), st.text(max_size=400), st.text(max_size=400))
def test_any_file_is_parsed_or_refused(user: Any, passwd: Any, group: Any) -> None:
    try:
        identity = resolve_user(user, passwd, group)
    except InputError:
        return
    assert 0 <= identity.uid < 2**31
    assert all(0 <= gid < 2**31 for gid in (identity.gid, *identity.groups))
    assert identity.home.startswith("/")

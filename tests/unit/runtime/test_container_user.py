"""--user against passwd(5) and group(5) of a rootfs that may be hostile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.errors import InputError
from seclatch.runtime.container_user import Identity, identify

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
        ("", Identity(0, 0, (), "/root")),
        ("root", Identity(0, 0, (), "/root")),
        ("web", Identity(33, 44, (60, 61), "/srv/web")),
        ("33", Identity(33, 44, (60, 61), "/srv/web")),
        ("web:staff", Identity(33, 60, (), "/srv/web")),
        ("web:99", Identity(33, 99, (), "/srv/web")),
        ("1000", Identity(1000, 0, (), "/")),
        ("1000:1001", Identity(1000, 1001, (), "/")),
        ("2147483647:0", Identity(2147483647, 0, (), "/")),
        ("123", Identity(7, 8, (), "/n")),
        ("nohome", Identity(50, 51, (), "/")),
        (":staff", Identity(0, 60, (), "/root")),
    ],
)
def test_identify(user, identity):
    assert identify(user, PASSWD, GROUP) == identity


@pytest.mark.parametrize(
    "user", ["nobody", "web:", "web:nogroup", "2147483648", "-1", "99999999999999", "٣", "1:-1"]
)
def test_refused(user):
    with pytest.raises(InputError, match="--user"):
        identify(user, PASSWD, GROUP)


def test_rootfs_without_the_files():
    assert identify("", "", "") == Identity(0, 0, (), "/root")
    assert identify("12:13", "", "") == Identity(12, 13, (), "/")


def test_malformed_lines_are_passed_over():
    passwd = "a:x:b:c:::\n:x:1:1::/:\nshort:x:1\nbig:x:99999999999:1::/:\nweb:x:1:1::rel:\n"
    assert identify("web", passwd, "::\nx:y:z:web\n") == Identity(1, 1, (), "/")
    for name in ("a", "short", "big"):
        with pytest.raises(InputError):
            identify(name, passwd, "")


@given(st.text(max_size=40), st.text(max_size=400), st.text(max_size=400))
def test_no_file_can_break_it(user, passwd, group):
    try:
        identity = identify(user, passwd, group)
    except InputError:
        return
    assert 0 <= identity.uid < 2**31
    assert all(0 <= gid < 2**31 for gid in (identity.gid, *identity.groups))
    assert identity.home.startswith("/")

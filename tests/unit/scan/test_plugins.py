"""The name services that a program loads, by nsswitch.conf(5) or by the library's defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.ld.plugins import (
    find_apr_plugins,
    find_name_services,
    find_pam_plugins,
)

CONFIGURED = "passwd: files systemd [NOTFOUND=return] extra\n# hosts: never\ngroup: files\n"
CASES = [
    ("", {"malloc"}, []),
    ("", {"getpwnam"}, ["files"]),
    ("", {"getaddrinfo"}, ["dns", "files"]),
    (CONFIGURED, {"getpwnam_r"}, ["extra", "files", "systemd"]),
    (CONFIGURED, {"getgrgid"}, ["files"]),
    (CONFIGURED, {"gethostbyname"}, ["dns", "files"]),
    ("hosts: files\n", {"gethostbyname"}, ["files"]),
    ("group: files\ninitgroups: extra\n", {"getgrouplist"}, ["extra", "files"]),
    ("gshadow: extra\n", {"getsgnam"}, ["extra"]),
    ("aliases: extra\n", {"getaliasbyname"}, ["extra"]),
]


@pytest.mark.parametrize(("text", "asked", "services"), CASES)
def test_name_services(text: str, asked: set[str], services: list[str], tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    if text:
        (tmp_path / "etc/nsswitch.conf").write_text(text)
    rootfs = Rootfs(tmp_path)
    assert find_name_services(rootfs, asked) == [f"libnss_{each}.so.2" for each in services]
    rootfs.close()


@pytest.mark.parametrize("place", ["etc/pam.d", "usr/lib/pam.d"])
def test_pam_s_modules_are_those_of_any_service(place: str, tmp_path: Path) -> None:
    modules = tmp_path / "usr/lib/security"
    for folder in (tmp_path / place, modules):
        folder.mkdir(parents=True)
    (tmp_path / place / "login").write_text("auth required pam_a.so nullok\n")
    for name in ("pam_a.so", "pam_b.so"):
        (modules / name).touch()
    rootfs = Rootfs(tmp_path)
    assert find_pam_plugins(rootfs, {"pam_start"}).paths == ("/usr/lib/security/pam_a.so",)
    assert find_pam_plugins(rootfs, {"pam_end"}).paths == ()
    rootfs.close()


@pytest.mark.parametrize(
    ("asked", "drivers"),
    [
        ({"apr_dbm_open"}, ["dbm_db", "dbm_gdbm"]),
        ({"apr_dbd_get_driver", "apr_dbm_close"}, ["dbd_pgsql"]),
        ({"apr_ldap_init"}, ["ldap"]),
        ({"apr_pool_destroy"}, []),
    ],
)
def test_drivers_of_apr_util_by_the_kind_that_is_asked_for(
    asked: set[str], drivers: list[str], tmp_path: Path
) -> None:
    (modules := tmp_path / "usr/lib/x86_64-linux-gnu/apr-util-1").mkdir(parents=True)
    for name in ("dbm_db", "dbm_gdbm", "dbd_pgsql", "ldap"):
        (modules / f"apr_{name}-1.so").touch()
        (modules / f"apr_{name}.so").symlink_to(f"apr_{name}-1.so")
    rootfs = Rootfs(tmp_path)
    found = {path.rpartition("/apr_")[2] for path in find_apr_plugins(rootfs, asked).paths}
    assert found == {f"{each}-1.so" for each in drivers}
    rootfs.close()


@pytest.mark.parametrize(
    ("own", "services"),
    [([], ["dns", "extra", "files", "systemd"]), (["dns", "files"], ["extra", "systemd"])],
)
def test_static_programs_may_load_any_name_service(
    own: list[str], services: list[str], tmp_path: Path
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/nsswitch.conf").write_text(CONFIGURED)
    rootfs = Rootfs(tmp_path)
    assert find_name_services(rootfs, set(), own) == [f"libnss_{each}.so.2" for each in services]
    rootfs.close()

"""The name services that a program loads, by nsswitch.conf(5) or by the library's defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.ld.pam_modules import find_pam_plugins
from seclatch.scan.ld.plugins import find_apr_plugins, find_name_services, find_plugins

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


PAM = """# auth required pam_off.so
auth       [success=1 default=ignore] pam_a.so nullok
-session   optional \\
           pam_b.so  # not pam_off.so
session    required pam_a.so
Password   required pam_c.so
@include   common
unclear.so
"""


@pytest.mark.parametrize(
    ("asked", "called"),
    [
        ({"pam_start"}, {"a": "", "b": "", "c": "", "unclear": ""}),
        (
            {"pam_start", "pam_authenticate", "pam_open_session"},
            {"a": "authenticate open_session", "b": "open_session", "c": "",
             "unclear": "authenticate open_session"},
        ),
        (
            {"pam_start_confdir", "pam_chauthtok", "pam_setcred", "pam_close_session"},
            {"a": "setcred close_session", "b": "close_session", "c": "chauthtok",
             "unclear": "setcred close_session chauthtok"},
        ),
    ],
)  # fmt: skip
def test_pam_s_functions_are_those_of_the_lines_and_of_what_is_asked(
    asked: set[str], called: dict[str, str], tmp_path: Path
) -> None:
    modules = tmp_path / "usr/lib/security"
    for folder in (tmp_path / "etc/pam.d", modules):
        folder.mkdir(parents=True)
    (tmp_path / "etc/pam.d/login").write_text(PAM)
    for name in ("pam_a", "pam_b", "pam_c", "pam_off", "unclear"):
        (modules / f"{name}.so").touch()
    rootfs = Rootfs(tmp_path)
    found = find_pam_plugins(rootfs, asked)
    rootfs.close()
    names = {Path(path).stem.removeprefix("pam_"): called for path, called in found.called.items()}
    assert names == {
        module: {f"pam_sm_{each}" for each in functions.split()}
        for module, functions in called.items()
    }
    assert set(found.paths) == found.called.keys()


@pytest.mark.parametrize(
    ("program", "called"),
    [
        ("mariadb", {"_mysql_client_plugin_declaration_"}),
        ("mysqldump", {"_mysql_client_plugin_declaration_"}),
        ("mariadbd", None),
        ("mysqld-debug", None),
        ("mariadb-backup", None),
        ("mariadb-embedded", None),
    ],
)
def test_clients_of_mariadb_take_one_name_of_a_plugin(
    program: str, called: set[str] | None, tmp_path: Path
) -> None:
    plugin = tmp_path / "usr/lib/mysql/plugin/auth.so"
    plugin.parent.mkdir(parents=True)
    plugin.touch()
    rootfs = Rootfs(tmp_path)
    found = find_plugins(rootfs, f"/usr/bin/{program}", ScanTarget(f"/usr/bin/{program}", ""))
    rootfs.close()
    assert found.paths == ("/usr/lib/mysql/plugin/auth.so",)
    assert found.called.get("/usr/lib/mysql/plugin/auth.so") == called


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

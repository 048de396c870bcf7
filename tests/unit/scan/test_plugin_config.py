"""Files that programs load by their configuration, or because they are installed.

Wherever distributions, images and commands have it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.ld.plugins import FoundPlugins, find_plugins

NGINX, APACHE, REDIS = "/usr/sbin/nginx", "/usr/sbin/httpd", "/usr/bin/redis-server"
LOAD = "load_module modules/own.so;\n"
CONFIGURED = {
    "nginx": (NGINX, (), {"/etc/nginx/nginx.conf": LOAD, "/etc/nginx/modules/own.so": ""}),
    "nginx -c": (
        NGINX,
        ("-g", "daemon off;", "-c", "/srv/n.conf"),
        {"/etc/nginx/nginx.conf": "", "/srv/n.conf": LOAD, "/etc/nginx/modules/own.so": ""},
    ),
    "nginx -p": (NGINX, ("-p/srv",), {"/srv/conf/nginx.conf": LOAD, "/srv/modules/own.so": ""}),
    "nginx -g": (
        NGINX,
        ("-g", "daemon off; load_module modules/own.so;"),
        {"/etc/nginx/nginx.conf": "", "/etc/nginx/modules/own.so": ""},
    ),
    "nginx, included": (
        NGINX,
        (),
        {
            "/etc/nginx/nginx.conf": "include sub/*/a.conf;",
            "/etc/nginx/sub/1/a.conf": "include b;",
            "/etc/nginx/b": LOAD,
            "/usr/share/nginx/modules/own.so": "",
        },
    ),
    "openresty": (
        NGINX,
        (),
        {
            "/usr/local/openresty/nginx/conf/nginx.conf": LOAD,
            "/usr/local/openresty/nginx/modules/own.so": "",
        },
    ),
    "Red Hat's apache": (
        APACHE,
        (),
        {
            "/etc/httpd/conf/httpd.conf": (
                'ServerRoot "/etc/httpd"\nInclude conf.modules.d/*.conf\n'
            ),
            "/etc/httpd/conf.modules.d/00.conf": "LoadModule a_module modules/own.so\n",
            "/etc/httpd/modules/own.so": "",
        },
    ),
    "Alpine's apache": (
        APACHE,
        (),
        {
            "/etc/apache2/httpd.conf": "ServerRoot /var/www\nLoadModule a_module modules/own.so\n",
            "/var/www/modules/own.so": "",
        },
    ),
    "apache, a directory": (
        APACHE,
        (),
        {
            "/etc/apache2/apache2.conf": "Include conf.d\n",
            "/etc/apache2/conf.d/a": "LoadModule a_module /lib/own.so\n",
            "/lib/own.so": "",
        },
    ),
    "apache -f": (
        APACHE,
        ("-DFOREGROUND", "-f", "/srv/h.conf"),
        {"/srv/h.conf": "LoadModule a_module /lib/own.so\n", "/lib/own.so": ""},
    ),
    "lighttpd, included": (
        "/usr/sbin/lighttpd",
        (),
        {
            "/etc/lighttpd/lighttpd.conf": 'include "modules.conf"\n',
            "/etc/lighttpd/modules.conf": 'server.modules += ("mod_own")\n',
            "/usr/lib64/lighttpd/mod_own.so": "",
        },
    ),
    "redis": (
        REDIS,
        ("/srv/r.conf", "--dir", "/data"),
        {"/srv/r.conf": "loadmodule /lib/own.so a b\n", "/lib/own.so": ""},
    ),
    "redis --loadmodule": (REDIS, ("--loadmodule", "/lib/own.so"), {"/lib/own.so": ""}),
    "lua": ("/usr/bin/lua5.4", (), {"/usr/lib/x86_64-linux-gnu/lua/5.4/own.so": ""}),
    "Red Hat's python": ("/usr/bin/python3.9", (), {"/usr/lib64/python3.9/lib-dynload/own.so": ""}),
    "python of its own": (
        "/usr/local/bin/python3.12",
        ("/srv/app/main.py",),
        {"/srv/app/pkg-1.2/own.so": ""},
    ),
    "Alpine's php": ("/usr/bin/php83", (), {"/usr/lib/php83/modules/own.so": ""}),
    "pnpm's node": (
        "/usr/bin/node",
        ("/srv/app/main.js",),
        {"/srv/app/node_modules/.pnpm/a@1.0/node_modules/a/own.node": ""},
    ),
    "Red Hat's postgres": ("/usr/pgsql-16/bin/postgres", (), {"/usr/pgsql-16/lib/own.so": ""}),
}


def found(root: Path, path: str, files: dict[str, str], target: ScanTarget) -> FoundPlugins:
    for name, text in files.items():
        file = root / name[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    rootfs = Rootfs(root)
    try:
        return find_plugins(rootfs, path, target)
    finally:
        rootfs.close()


@pytest.mark.parametrize("case", CONFIGURED)
def test_configured_libraries_are_found(case: str, tmp_path: Path) -> None:
    path, arguments, files = CONFIGURED[case]
    plugins = found(tmp_path, path, files, ScanTarget(path, "", arguments=arguments))
    assert any(Path(each).stem.removeprefix("mod_") == "own" for each in plugins.paths)
    assert not plugins.missing


def test_a_virtual_environment(tmp_path: Path) -> None:
    files = {"/opt/venv/lib/python3.12/site-packages/a.b/own.so": ""}
    real = "/usr/local/bin/python3.12"
    for target in (
        ScanTarget(real, "", environment=(("PATH", "/opt/venv/bin:/usr/bin"),)),
        ScanTarget(real, "", named="/opt/venv/bin/python"),
        ScanTarget(real, "", environment=(("PYTHONPATH", "/none:/opt/venv/lib"),)),
        ScanTarget(real, "", directory="/opt/venv"),
    ):
        assert found(tmp_path, real, files, target).paths


MISSING = {
    "no configuration": (NGINX, (), {}, "nginx.conf"),
    "one that is not there": (NGINX, ("-c", "/srv/n.conf"), {"/etc/nginx/nginx.conf": ""}, "/srv"),
    "no module": (NGINX, (), {"/etc/nginx/nginx.conf": LOAD}, "modules/own.so"),
    "apache's": (APACHE, (), {}, "httpd.conf"),
    "redis'": (REDIS, ("/srv/r.conf",), {}, "/srv/r.conf"),
}


@pytest.mark.parametrize("case", MISSING)
def test_a_missing_library_is_reported(case: str, tmp_path: Path) -> None:
    path, arguments, files, what = MISSING[case]
    plugins = found(tmp_path, path, files, ScanTarget(path, "", arguments=arguments))
    assert any(what in each for each in plugins.missing)


def test_a_conditional_library_may_be_missing(tmp_path: Path) -> None:
    text = "<IfModule !a>\n LoadModule a_module modules/none.so\n</IfModule>\n"
    plugins = found(tmp_path, APACHE, {"/etc/httpd/conf/httpd.conf": text}, ScanTarget(APACHE, ""))
    assert not plugins.missing
    assert not found(tmp_path, REDIS, {}, ScanTarget(REDIS, "")).missing


def test_cycles_of_links_terminate(tmp_path: Path) -> None:
    place = tmp_path / "srv/app"
    place.mkdir(parents=True)
    for name in "abcdefgh":
        (place / name).symlink_to(".")
    target = ScanTarget("/usr/bin/node", "", arguments=("/srv/app/main.js",))
    assert len(found(tmp_path, target.path, {"/srv/app/own.node": ""}, target).paths) == 1

"""Libraries that a program loads at run time, as its own configuration says.

Code does not show them: their names are in files. One function a program; what cannot be determined
is a note, so that the result is not taken for complete.

See docs/decisions/0052 (choices of the loader).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.ld import plugin_config
from seclatch.scan.ld.plugin_config import ConfiguredLoads

_MOST = 5000
_TOO_MANY = f"more plugins than the {_MOST} that are looked at"
_PLACES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/lib64")


@dataclass(frozen=True, slots=True)
class FoundPlugins:
    """`paths` of libraries that the program's configuration loads, and notes.

    `known`: the program itself loads nothing else; `missing`: except what these files would name.
    `called`: the exports that it calls of a library by its path, if not all.
    """

    paths: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    known: bool = False
    missing: tuple[str, ...] = ()
    called: Mapping[str, frozenset[str]] = field(default_factory=dict)


def find_plugins(rootfs: Rootfs, path: str, target: ScanTarget) -> FoundPlugins:
    """Return the plugins of a program, by the name of its file and by how it is run."""
    base = posixpath.basename(path)
    for pattern, finder in _FINDERS:
        if re.fullmatch(pattern, base):
            loads = finder(rootfs, target)
            paths = dict.fromkeys(rootfs.resolve(library) for library in loads.paths)
            found = tuple(resolved for resolved in paths if resolved is not None)
            note = f"{len(found)} plugins by the configuration in the image"
            missing = [*loads.missing, *([_TOO_MANY] if len(found) > _MOST else [])]
            notes = (note,) if found else ()
            called = dict.fromkeys(found, _list_called_names(base))
            return FoundPlugins(
                found[:_MOST],
                notes,
                True,
                tuple(dict.fromkeys(missing)),
                {path: names for path, names in called.items() if names is not None},
            )
    return FoundPlugins()


_STARTS_APR = {
    "dbm": {"apr_dbm_open", "apr_dbm_open_ex", "apr_dbm_get_driver"},
    "dbd": {"apr_dbd_get_driver"},
    "crypto": {"apr_crypto_get_driver"},
    "ldap": {"apr_ldap_init", "apr_ldap_info"},
}
"""apr-util's functions that load a driver, by a name that is in the caller's configuration."""


def find_apr_plugins(rootfs: Rootfs, asked: set[str]) -> FoundPlugins:
    """Return the installed drivers of apr-util that a program with these names may load.

    apr-util 1.6 calls them apr_KIND_NAME-1.so; links without the version beside them are the same
    files.
    """
    kinds = [kind for kind, names in _STARTS_APR.items() if names & asked]
    if not kinds:
        return FoundPlugins()
    found = _list_files(rootfs, *(f"{place}/apr-util-1" for place in _PLACES), depth=0).paths
    wanted = re.compile(rf"apr_({'|'.join(kinds)})(_\w+)?-\d+\.so")
    paths = tuple(path for path in found if wanted.fullmatch(posixpath.basename(path)))
    return FoundPlugins(paths, (f"{len(paths)} drivers of apr-util",) if paths else ())


def find_name_services(
    rootfs: Rootfs, asked: set[str], static: Iterable[str] | None = None
) -> list[str]:
    """Return glibc's name service libraries in nsswitch.conf(5) for what a program looks up.

    `files` and `dns` have been part of libc itself since 2.34; older ones are found like others.
    `static`: the program is static, with these services, and may look up anything.
    """
    databases = {
        name
        for name, pattern in _DATABASES.items()
        if static is not None or any(map(pattern.match, asked))
    }
    services: dict[str, list[str]] = {}
    for line in rootfs.text("/etc/nsswitch.conf").splitlines():
        name, _, rest = line.split("#")[0].partition(":")
        if name.strip() in databases:
            services[name.strip()] = re.findall(r"[a-z_0-9]+", re.sub(r"\[[^]]*\]", " ", rest))
    # The library's defaults for a database that is not in the file.
    unsaid = databases - services.keys()
    found = {service for named in services.values() for service in named}
    found |= ({"files"} if unsaid else set()) | (
        {"dns"} if unsaid & {"hosts", "networks"} else set()
    )
    return [f"libnss_{service}.so.2" for service in sorted(found.difference(static or ()))]


_DATABASES = {
    "passwd": re.compile(r"getpw|getlogin|initgroups|wordexp|glob"),
    "group": re.compile(r"getgr|initgroups|getgrouplist"),
    "initgroups": re.compile(r"initgroups|getgrouplist"),
    "shadow": re.compile(r"getsp"),
    "gshadow": re.compile(r"getsg"),
    "aliases": re.compile(r"getalias"),
    "publickey": re.compile(r"get(public|secret)key"),
    "hosts": re.compile(r"gethost|getaddrinfo|getnameinfo"),
    "networks": re.compile(r"getnet"),
    "protocols": re.compile(r"getproto"),
    "services": re.compile(r"getserv|getaddrinfo|getnameinfo"),
    "netgroup": re.compile(r"innetgr|setnetgrent"),
    "ethers": re.compile(r"ether_"),
    "rpc": re.compile(r"getrpc"),
}


def _list_files(
    rootfs: Rootfs, *directories: str, suffix: str = ".so", depth: int = 3
) -> ConfiguredLoads:
    """Return files with a suffix below directories, some levels down."""
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    work = [(start, depth) for start in reversed(directories)]
    while work and len(found) <= _MOST:
        directory, levels = work.pop()
        entries = rootfs.entries(directory, seen)
        paths = [(posixpath.join(directory, name), folder) for name, folder in entries]
        found += [path for path, folder in paths if not folder and path.endswith(suffix)]
        work += [(path, levels - 1) for path, folder in reversed(paths) if folder and levels]
    return ConfiguredLoads(found)


def _list_directories(rootfs: Rootfs, bases: Iterable[str], pattern: str) -> list[str]:
    """Return the directories in these whose names match."""
    return [
        posixpath.join(base, name)
        for base in dict.fromkeys(bases)
        for name in rootfs.names(base)
        if re.fullmatch(pattern, name)
    ]


def _list_script_directories(target: ScanTarget) -> list[str]:
    """Return where an interpreter's script and its libraries lie, as far as its command shows."""
    files = [
        argument
        for argument in target.arguments
        if "/" in argument and not argument.startswith("-")
    ]
    folders = [posixpath.dirname(posixpath.join(target.directory, file)) for file in files]
    return [folder for folder in (target.directory, *folders) if folder not in _SHARED]


_SHARED = {"/", "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/etc"}


def _python(rootfs: Rootfs, target: ScanTarget) -> ConfiguredLoads:
    """Return every extension module that is installed: any may be imported."""
    prefixes = [posixpath.dirname(posixpath.dirname(target.named or target.path))]
    prefixes += [posixpath.dirname(variable) for variable in target.variables("PATH")]
    prefixes += [
        *target.variables("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME"),
        "/usr",
        "/usr/local",
    ]
    bases = [posixpath.join(prefix, lib) for prefix in prefixes for lib in ("lib", "lib64")]
    installed = _list_directories(rootfs, bases, r"python3(\.\d+)?t?")
    return _list_files(
        rootfs,
        *installed,
        *target.variables("PYTHONPATH"),
        *_list_script_directories(target),
        depth=12,
    )


def _perl(rootfs: Rootfs, target: ScanTarget) -> ConfiguredLoads:
    bases = (
        *_PLACES,
        "/usr/local/lib",
        "/usr/local/lib64",
        "/usr/share",
        "/usr/local/lib/x86_64-linux-gnu",
        "/usr/local/lib/aarch64-linux-gnu",
    )
    more = target.variables("PERL5LIB")
    return _list_files(rootfs, *_list_directories(rootfs, bases, "perl.*"), *more, depth=10)


def _node(rootfs: Rootfs, target: ScanTarget) -> ConfiguredLoads:
    places = (
        "/usr/lib/node_modules",
        "/usr/lib/nodejs",
        "/usr/share/nodejs",
        "/app",
        "/usr/src/app",
        "/usr/local/lib/node_modules",
        "/node_modules",
        *(f"{place}/nodejs" for place in _PLACES),
    )
    own = [*target.variables("NODE_PATH"), *_list_script_directories(target)]
    own += [posixpath.join(posixpath.dirname(directory), "node_modules") for directory in own]
    return _list_files(rootfs, *places, *own, suffix=".node", depth=16)


def _postgres(rootfs: Rootfs, target: ScanTarget) -> ConfiguredLoads:
    versions = _list_directories(rootfs, ("/usr/lib/postgresql",), ".*")
    versions += _list_directories(rootfs, ("/usr", "/usr/lib"), r"pgsql-.*|postgresql\d+")
    places = [*_PLACES, "/usr/local/lib", "/opt/bitnami/postgresql/lib"]
    named = [posixpath.join(place, name) for place in places for name in ("postgresql", "pgsql")]
    return _list_files(
        rootfs, *(f"{version}/lib" for version in versions), *versions, *named, depth=0
    )


def _rsyslog(rootfs: Rootfs, target: ScanTarget) -> ConfiguredLoads:
    """Return every module that is installed: its configuration can be anywhere."""
    return _list_files(rootfs, *(f"{place}/rsyslog" for place in _PLACES), depth=0)


def _php(rootfs: Rootfs, target: ScanTarget) -> ConfiguredLoads:
    bases = (*_PLACES, "/usr/local/lib", "/usr/local/lib64")
    return _list_files(rootfs, *_list_directories(rootfs, bases, r"php\d*"), depth=3)


def _lua(rootfs: Rootfs, target: ScanTarget) -> ConfiguredLoads:
    bases = (*_PLACES, "/usr/local/lib", "/usr/local/lib64", "/usr/local/openresty")
    folders = _list_directories(rootfs, bases, r"lua(jit|lib)?")
    return _list_files(rootfs, *folders, *_list_script_directories(target), depth=6)


def _bash(rootfs: Rootfs, target: ScanTarget) -> ConfiguredLoads:
    """Return the builtins that `enable -f` can load."""
    return _list_files(
        rootfs, "/usr/lib/bash", "/usr/lib64/bash", "/usr/local/lib/bash", suffix="", depth=0
    )


def _mariadb(rootfs: Rootfs, target: ScanTarget) -> ConfiguredLoads:
    """Return the server's plugins, and those by which clients authenticate."""
    folders = [
        f"{place}/{name}"
        for place in _PLACES
        for name in ("mysql/plugin", "mariadb/plugin", "libmariadb3/plugin")
    ]
    return _list_files(rootfs, *target.values("--plugin-dir", "--plugin_dir"), *folders, depth=0)


_MARIADB = r"(mariadb|mysql)[a-z-]*"
_MARIADB_CLIENT = r"(mariadb|mysql)(-?(admin|binlog|check|dump|import|show|slap|upgrade))?"
_CLIENT_PLUGIN = "_mysql_client_plugin_declaration_"


def _list_called_names(base: str) -> frozenset[str] | None:
    """Return what a program calls of its plugins by the name of its file; None: all exports.

    A client of MariaDB takes this one name of a plugin that it loads to authenticate, and refuses
    those that have none, as the server's (sql-common/client_plugin.c): only their constructors run.
    """
    if re.fullmatch(_MARIADB_CLIENT, base):
        return frozenset({_CLIENT_PLUGIN})
    return None


_FINDERS: tuple[tuple[str, Callable[[Rootfs, ScanTarget], ConfiguredLoads]], ...] = (
    (r"nginx|openresty", plugin_config.find_nginx_modules),
    (r"apache2|httpd", plugin_config.find_apache_modules),
    (r"lighttpd", plugin_config.find_lighttpd_modules),
    (r"postgres", _postgres),
    (r"python3?(\.\d+)?t?", _python),
    (r"perl(5\.\d+.*)?", _perl),
    (r"node|nodejs", _node),
    (r"r?bash", _bash),
    (r"rsyslogd", _rsyslog),
    (r"php(-fpm|-cgi)?(\d+(\.\d+)?)?", _php),
    (_MARIADB, _mariadb),
    (r"memcached", _lua),  # its proxy runs scripts
    (r"lua(jit)?(\d+\.\d+)?", _lua),
    (r"(redis|valkey)-(server|sentinel|check-(aof|rdb))", plugin_config.find_redis_modules),
)

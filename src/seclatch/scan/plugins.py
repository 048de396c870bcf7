"""Libraries that a program loads while it runs, as its own configuration tells.

Nothing of it can be seen in code: the names stand in files. One function a program; what cannot be
told is a note, so that nobody takes the result for more than it is.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from seclatch.scan.linker import Program
from seclatch.scan.rootfs import Rootfs

_MOST = 1000
_PLACES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/lib64")


@dataclass(frozen=True, slots=True)
class Plugins:
    """`paths` of libraries that the program's configuration loads, and what is to be said;
    `known`: there is nothing else that the program itself would load."""

    paths: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    known: bool = False


def find(rootfs: Rootfs, program: Program, arguments: Iterable[str]) -> Plugins:
    """The plugins of a program, by the name of its file."""
    base = posixpath.basename(program.modules[0].path)
    for pattern, finder in _FINDERS:
        if re.fullmatch(pattern, base):
            paths = [each for each in finder(rootfs) if rootfs.resolve(each) is not None]
            note = f"{len(paths)} plugins by the configuration in the image"
            return Plugins(tuple(dict.fromkeys(paths))[:_MOST], (note,) if paths else (), True)
    return Plugins()


_STARTS_PAM = {"pam_start", "pam_start_confdir"}
"""Every transaction begins with one of them (pam_start(3)), and loads the service's modules."""


def authentication(rootfs: Rootfs, asked: set[str]) -> Plugins:
    """The PAM modules of a program that asks for these names."""
    if not _STARTS_PAM & asked:
        return Plugins()
    return Plugins(tuple(_pam_modules(rootfs)), ("PAM modules by /etc/pam.d",))


def name_services(
    rootfs: Rootfs, asked: set[str], static: Iterable[str] | None = None
) -> list[str]:
    """glibc's name service libraries that nsswitch.conf(5) names for what a program looks up.

    `files` and `dns` have been part of libc itself since 2.34; older ones are found like others.
    `static`: the program is static, with these services, and may look up anything.
    """
    databases = {name for name, pattern in _DATABASES.items()
                 if static is not None or any(map(pattern.match, asked))}  # fmt: skip
    services: dict[str, list[str]] = {}
    for line in rootfs.text("/etc/nsswitch.conf").splitlines():
        name, _, rest = line.split("#")[0].partition(":")
        if name.strip() in databases:
            services[name.strip()] = re.findall(r"[a-z_0-9]+", re.sub(r"\[[^]]*\]", " ", rest))
    # What the library does about a database that the file says nothing of.
    unsaid = databases - services.keys()
    found = {each for named in services.values() for each in named}
    found |= ({"files"} if unsaid else set()) | (
        {"dns"} if unsaid & {"hosts", "networks"} else set()
    )
    return [f"libnss_{each}.so.2" for each in sorted(found.difference(static or ()))]


_DATABASES = {
    "passwd": re.compile(r"getpw|getlogin|initgroups|wordexp|glob"),
    "group": re.compile(r"getgr|initgroups|getgrouplist"),
    "shadow": re.compile(r"getsp"),
    "hosts": re.compile(r"gethost|getaddrinfo|getnameinfo"),
    "networks": re.compile(r"getnet"),
    "protocols": re.compile(r"getproto"),
    "services": re.compile(r"getserv|getaddrinfo|getnameinfo"),
    "netgroup": re.compile(r"innetgr|setnetgrent"),
    "ethers": re.compile(r"ether_"),
    "rpc": re.compile(r"getrpc"),
}


def _files(rootfs: Rootfs, *directories: str, suffix: str = ".so", depth: int = 3) -> list[str]:
    """Files with a suffix below directories, some levels down."""
    found: list[str] = []
    for directory in directories:
        for name in rootfs.names(directory):
            path = posixpath.join(directory, name)
            if name.endswith(suffix):
                found.append(path)
            elif depth and "." not in name:
                found += _files(rootfs, path, suffix=suffix, depth=depth - 1)
            if len(found) > _MOST:
                return found
    return found


def _directives(
    rootfs: Rootfs, path: str, include: re.Pattern[str], wanted: re.Pattern[str], depth: int = 0
) -> list[str]:
    """What a pattern's last group matches in a configuration and the files that it includes."""
    found: list[str] = []
    if depth > 6:
        return found
    for line in rootfs.text(path).splitlines():
        if match := wanted.match(line):
            found.append(match[match.re.groups])
        elif match := include.match(line):
            for each in _glob(rootfs, posixpath.join(posixpath.dirname(path), match[1])):
                found += _directives(rootfs, each, include, wanted, depth + 1)
    return found


def _glob(rootfs: Rootfs, pattern: str) -> list[str]:
    from fnmatch import fnmatch  # noqa: PLC0415

    directory, name = posixpath.split(pattern)
    matched = [each for each in rootfs.names(directory) if fnmatch(each, name)]
    return [posixpath.join(directory, each) for each in matched]


def _nginx(rootfs: Rootfs) -> list[str]:
    include = re.compile(r"\s*include\s+([^;\s]+)\s*;")
    wanted = re.compile(r"\s*load_module\s+\"?([^;\"\s]+)\"?\s*;")
    found = _directives(rootfs, "/etc/nginx/nginx.conf", include, wanted)
    prefixes = ("/usr/share/nginx", "/etc/nginx", "/usr/lib/nginx", "/var/lib/nginx")
    return [posixpath.join(prefix, each) for each in found for prefix in prefixes]


def _apache(rootfs: Rootfs) -> list[str]:
    include = re.compile(r"\s*Include(?:Optional)?\s+\"?([^\"\s]+)", re.IGNORECASE)
    wanted = re.compile(r"\s*LoadModule\s+(\S+)\s+\"?([^\"\s]+)", re.IGNORECASE)
    found: list[str] = []
    for path in ("/etc/apache2/apache2.conf", "/etc/httpd/conf/httpd.conf",
                 "/usr/local/apache2/conf/httpd.conf"):  # fmt: skip
        found += _directives(rootfs, path, include, wanted)
    roots = ("/etc/apache2", "/etc/httpd", "/usr/local/apache2")
    return [posixpath.join(root, each) for each in found for root in roots]


def _lighttpd(rootfs: Rootfs) -> list[str]:
    """Modules in use: those that any configuration names, and those loaded by default."""
    text = "".join(
        rootfs.text(path)
        for path in ("/etc/lighttpd/lighttpd.conf", *_glob(rootfs, "/etc/lighttpd/conf-enabled/*"))
    )
    named = set(re.findall(r"mod_\w+", text)) | {"mod_indexfile", "mod_dirlisting",
                                                 "mod_staticfile"}  # fmt: skip
    return [each for each in _files(rootfs, "/usr/lib/lighttpd", depth=0)
            if posixpath.basename(each).removesuffix(".so") in named]  # fmt: skip


def _postgres(rootfs: Rootfs) -> list[str]:
    versions = rootfs.names("/usr/lib/postgresql")
    return [
        path
        for version in versions
        for path in _files(rootfs, f"/usr/lib/postgresql/{version}/lib", depth=0)
    ] + _files(rootfs, "/usr/local/lib/postgresql", depth=0)


def _python(rootfs: Rootfs) -> list[str]:
    """Every extension module that is installed: any may be imported."""
    found: list[str] = []
    for base in ("/usr/lib", "/usr/local/lib"):
        for name in rootfs.names(base):
            if re.fullmatch(r"python3(\.\d+)?", name):
                found += _files(rootfs, posixpath.join(base, name), depth=8)
    return found


def _perl(rootfs: Rootfs) -> list[str]:
    found: list[str] = []
    for base in ("/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
                 "/usr/local/lib"):  # fmt: skip
        for name in rootfs.names(base):
            if name.startswith("perl"):
                found += _files(rootfs, posixpath.join(base, name), depth=8)
    return found


def _node(rootfs: Rootfs) -> list[str]:
    places = ("/usr/lib/node_modules", "/usr/share/nodejs", "/app", "/usr/src/app",
              "/usr/local/lib/node_modules")  # fmt: skip
    return _files(rootfs, *places, suffix=".node", depth=10)


def _rsyslog(rootfs: Rootfs) -> list[str]:
    """Every module that is installed: its configuration can be anywhere."""
    return _files(rootfs, *(f"{each}/rsyslog" for each in _PLACES), depth=0)


def _php(rootfs: Rootfs) -> list[str]:
    return _files(rootfs, "/usr/lib/php", "/usr/local/lib/php", depth=3)


def _lua(rootfs: Rootfs) -> list[str]:
    folders = [f"{each}/lua" for each in (*_PLACES, "/usr/local/lib")]
    return _files(rootfs, *folders, depth=4)


def _redis(rootfs: Rootfs) -> list[str]:
    include = re.compile(r"\s*include\s+\"?([^\"\s]+)")
    wanted = re.compile(r"\s*loadmodule\s+\"?([^\"\s]+)")
    return [
        each
        for path in ("/etc/redis/redis.conf", "/etc/redis.conf", "/usr/local/etc/redis/redis.conf")
        for each in _directives(rootfs, path, include, wanted)
    ]


def _bash(rootfs: Rootfs) -> list[str]:
    """Builtins that `enable -f` can load."""
    return _files(rootfs, "/usr/lib/bash", "/usr/local/lib/bash", suffix="", depth=0)


def _mariadb(rootfs: Rootfs) -> list[str]:
    """The server's plugins, and those by which clients authenticate."""
    folders = [f"{each}/{name}" for each in _PLACES
               for name in ("mysql/plugin", "mariadb/plugin", "libmariadb3/plugin")]  # fmt: skip
    return _files(rootfs, *folders, depth=0)


_FINDERS: tuple[tuple[str, Callable[[Rootfs], list[str]]], ...] = (
    (r"nginx", _nginx),
    (r"apache2|httpd", _apache),
    (r"lighttpd", _lighttpd),
    (r"postgres", _postgres),
    (r"python3?(\.\d+)?", _python),
    (r"perl(5\.\d+.*)?", _perl),
    (r"node|nodejs", _node),
    (r"r?bash", _bash),
    (r"rsyslogd", _rsyslog),
    (r"php(-fpm|-cgi)?(\d+\.\d+)?", _php),
    (r"(mariadb|mysql)[a-z-]*", _mariadb),
    (r"memcached", _lua),  # its proxy runs scripts
    (r"lua(jit)?(\d+\.\d+)?", _lua),
    (r"(redis|valkey)-(server|sentinel|check-(aof|rdb))", _redis),
)


def _pam_modules(rootfs: Rootfs) -> list[str]:
    """Modules that any service's file names; a program's service name is its own matter."""
    named: set[str] = set()
    for folder in ("/etc/pam.d", "/usr/lib/pam.d"):
        for file in rootfs.names(folder):
            named.update(re.findall(r"[\w.-]+\.so\b", rootfs.text(posixpath.join(folder, file))))
    places = ("/usr/lib/x86_64-linux-gnu/security", "/usr/lib/aarch64-linux-gnu/security",
              "/usr/lib/security", "/lib/security", "/usr/lib64/security")  # fmt: skip
    return [path for place in places for name in sorted(named)
            if rootfs.resolve(path := posixpath.join(place, name)) is not None]  # fmt: skip

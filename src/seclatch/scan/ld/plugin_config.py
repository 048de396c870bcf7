"""Libraries that a server's configuration loads: files that its command names, or default ones.

What is named and not there, and a configuration that is not in the image, may be mounted at run
time: then the libraries are unknown, which is reported as something that is missing.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch

from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget

_DEPTH, _MOST = 6, 500
_CONDITION = re.compile(r"\s*<(/?)If", re.IGNORECASE)


@dataclass(slots=True)
class ConfiguredLoads:
    """`paths` of libraries that are loaded, and what is `missing` to know them all."""

    paths: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


class _ConfigReader:
    """Reads a configuration with what it includes.

    `wanted` and `include` match whole directives, their last group is the name; relative names
    count from any of `bases`.
    """

    def __init__(self, rootfs: Rootfs, wanted: str, include: str, bases: Iterable[str]) -> None:
        self._rootfs = rootfs
        self._wanted = re.compile(wanted, re.IGNORECASE)
        self._include = re.compile(include, re.IGNORECASE)
        self._bases = [base for base in bases if base.startswith("/")]
        self._seen: set[str] = set()
        self.loads = ConfiguredLoads()

    def any(self, given: list[str], usual: Iterable[str], what: str) -> None:
        """Read the files that the command names, or the default ones; one of them must be there."""
        for name in given:
            there = [path for path in self._paths(name) if self._rootfs.resolve(path) is not None]
            if not there:
                self.loads.missing.append(f"{name} ({what})")
            for path in there[:1]:
                self.file(path)
        if not given:
            there = [path for path in usual if self._rootfs.resolve(path) is not None]
            if not there:
                self.loads.missing.append(what)
            for path in there:
                self.file(path)

    def file(self, path: str, depth: int = 0) -> None:
        """Read one file, and what it includes."""
        if depth > _DEPTH or path in self._seen or len(self._seen) > _MOST:
            return
        self._seen.add(path)
        text = self._rootfs.text(path)
        root = re.search(r'^\s*ServerRoot\s+"?([^"\s]+)', text, re.IGNORECASE | re.MULTILINE)
        if root and root[1].startswith("/"):
            self._bases.insert(0, root[1])
        self.text(text, posixpath.dirname(path), depth)

    def files(self) -> list[str]:
        """Return the files that were read."""
        return sorted(self._seen)

    def text(self, text: str, directory: str = "/", depth: int = 0) -> None:
        """Read directives."""
        conditions = 0
        for line in text.splitlines():
            if match := _CONDITION.match(line):
                conditions += -1 if match[1] else 1
            elif match := self._wanted.match(line):
                self.load(match[match.re.groups], sure=not conditions)
            elif match := self._include.match(line):
                for path in self._matching(match[match.re.groups], directory):
                    self.file(path, depth + 1)

    def load(self, name: str, *, sure: bool = True) -> None:
        """Add a library by its name; not `sure`: only if some condition holds."""
        there = [path for path in self._paths(name) if self._rootfs.resolve(path) is not None]
        self.loads.paths += there
        if not there and sure:
            self.loads.missing.append(name)

    def _paths(self, name: str) -> list[str]:
        return list(dict.fromkeys(posixpath.join(base, name) for base in [*self._bases, "/"]))

    def _matching(self, pattern: str, directory: str) -> Iterator[str]:
        for base in dict.fromkeys([directory, *self._bases]):
            found = glob_rootfs(self._rootfs, posixpath.join(base, pattern))
            found += [f"{place}/*" for place in found if self._rootfs.is_directory(place)]
            yield from (path for place in found for path in glob_rootfs(self._rootfs, place))


def glob_rootfs(rootfs: Rootfs, pattern: str) -> list[str]:
    """Return the paths that match a pattern, whichever of its components has wildcards."""
    found = ["/"]
    for part in pattern.split("/"):
        if re.search(r"[*?\[]", part):
            found = [
                posixpath.join(base, name)
                for base in found[:_MOST]
                for name in rootfs.names(base)
                if fnmatch(name, part)
            ]
        else:
            found = [posixpath.join(base, part) for base in found]
    return found[:_MOST]


def find_nginx_modules(rootfs: Rootfs, target: ScanTarget) -> ConfiguredLoads:
    """Read load_module, in its configuration or on its command line."""
    prefixes = [
        *target.values("-p"),
        "/etc/nginx",
        "/usr/share/nginx",
        "/usr/lib/nginx",
        "/var/lib/nginx",
        "/usr/lib64/nginx",
        "/usr/local/nginx",
        "/opt/bitnami/nginx",
        "/usr/local/openresty/nginx",
    ]
    wanted = r"(?:.*;)?\s*load_module\s+[\"']?([^;\"'\s]+)[\"']?\s*;"
    include = r"\s*include\s+[\"']?([^;\"'\s]+)[\"']?\s*;"
    usual = [
        posixpath.join(prefix, name)
        for prefix in prefixes
        for name in ("nginx.conf", "conf/nginx.conf")
    ]
    reader = _ConfigReader(rootfs, wanted, include, prefixes)
    reader.any(target.values("-c"), usual, "nginx.conf")
    for directives in target.values("-g"):
        reader.text(directives.replace(";", ";\n"))
    return reader.loads


def find_apache_modules(rootfs: Rootfs, target: ScanTarget) -> ConfiguredLoads:
    """Read LoadModule."""
    roots = [
        *target.values("-d"),
        "/etc/apache2",
        "/etc/httpd",
        "/usr/local/apache2",
        "/var/www",
        "/opt/bitnami/apache",
    ]
    usual = [
        posixpath.join(root, name)
        for root in roots
        for name in ("apache2.conf", "httpd.conf", "conf/httpd.conf")
    ]
    wanted = r"\s*Load(?:Module\s+\S+|File)\s+[\"']?([^\"'\s]+)"
    include = r"\s*Include(?:Optional)?\s+[\"']?([^\"'\s]+)"
    reader = _ConfigReader(rootfs, wanted, include, roots)
    reader.any(target.values("-f"), usual, "apache2.conf or httpd.conf")
    reader.text("\n".join(target.values("-c", "-C")))
    return reader.loads


def find_redis_modules(rootfs: Rootfs, target: ScanTarget) -> ConfiguredLoads:
    """Read loadmodule; without a configuration it loads nothing."""
    usual = (
        "/etc/redis/redis.conf",
        "/etc/redis.conf",
        "/usr/local/etc/redis/redis.conf",
        "/etc/valkey/valkey.conf",
    )
    wanted, include = r"\s*loadmodule\s+[\"']?([^\"'\s]+)", r"\s*include\s+[\"']?([^\"'\s]+)"
    reader = _ConfigReader(rootfs, wanted, include, [target.directory])
    words = zip(("", *target.arguments), target.arguments, strict=False)
    given = [
        word
        for before, word in words
        if not before.startswith("-")
        and not word.startswith("-")
        and ("/" in word or word.endswith(".conf"))
    ]
    there = any(rootfs.resolve(path) is not None for path in usual)
    if given or there:
        reader.any(given, usual, "redis.conf")
    for name in target.values("--loadmodule"):
        reader.load(name)
    return reader.loads


def find_lighttpd_modules(rootfs: Rootfs, target: ScanTarget) -> ConfiguredLoads:
    """Return the modules that any configuration names, and those loaded by default."""
    reader = _ConfigReader(rootfs, r"(?!)", r"\s*include\s+\"([^\"]+)\"", ["/etc/lighttpd"])
    reader.any(target.values("-f"), ["/etc/lighttpd/lighttpd.conf"], "lighttpd.conf")
    texts = [rootfs.text(file) for file in reader.files()]
    texts += [rootfs.text(path) for path in glob_rootfs(rootfs, "/etc/lighttpd/conf-enabled/*")]
    named = set(re.findall(r"mod_\w+", "".join(texts)))
    named |= {"mod_indexfile", "mod_dirlisting", "mod_staticfile"}
    places = [
        *target.values("-m"),
        "/usr/lib/lighttpd",
        "/usr/lib64/lighttpd",
        "/usr/local/lib/lighttpd",
        "/usr/lib/x86_64-linux-gnu/lighttpd",
    ]
    for place, name in ((place, name) for place in places for name in sorted(named)):
        reader.load(posixpath.join(place, f"{name}.so"), sure=False)
    return reader.loads

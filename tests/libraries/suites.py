"""Root directories with the C library, OpenSSL and tools of other Debian suites."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path

from tests.arm64.packages import Apt
from tests.debian.packages import MERGED
from tests.scan.servers import enable_modules

SUITES = {"bullseye": "libssl1.1", "bookworm": "libssl3", "sid": "libssl3t64"}
"""glibc 2.31, 2.36, and what comes next; the package of OpenSSL's libraries there."""

TOOLS = (
    "bash",
    "dash",
    "coreutils",
    "grep",
    "sed",
    "findutils",
    "tar",
    "gzip",
    "diffutils",
    "util-linux",
    "libc-bin",
    "mawk",
    "procps",
    "perl-base",
    "bsdextrautils",
)

SERVERS = ("nginx-light", "redis-server", "memcached", "lighttpd", "apache2")

_BASE = Path(tempfile.gettempdir()) / "seclatch-suites"


@functools.cache
def root(suite: str, arch: str) -> Path:
    """Make the root; the tools only on amd64, where they run, on others the libraries alone."""
    folder = _BASE / f"{suite}-{arch}"
    apt = Apt(folder, (arch,), suite)
    apt.update()
    names = ["libc6", SUITES[suite]]
    packages = apt.closure([*names, *TOOLS]) if arch == "amd64" else [*map(apt.single, names)]
    place = _unpack(packages, folder / "root")
    (place / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n" * 20)
    (place / "etc/group").write_text("root:x:0:\n")
    (place / "etc/hostname").write_text("elsewhere\n")
    return place


@functools.cache
def with_servers(suite: str) -> Path:
    """Make a root with five servers, as `tests.scan.servers` needs them."""
    folder = _BASE / f"{suite}-servers"
    apt = Apt(folder, ("amd64",), suite)
    apt.update()
    place = _unpack(apt.closure(SERVERS), folder / "root")
    (place / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\napp:x:1000:1000::/run:/bin/sh\n")
    (place / "etc/group").write_text("root:x:0:\napp:x:1000:\n")
    enable_modules(place)
    return place


def busybox(suite: str, arch: str) -> tuple[Path, str]:
    """Return a root directory with a static program, and the program's path."""
    folder = _BASE / f"{suite}-{arch}-static"
    apt = Apt(folder, (arch,), suite)
    apt.update()
    place = _unpack([apt.single("busybox-static")], folder / "root")
    found = next(each for each in place.glob("**/bin/busybox") if each.is_file())
    return place, f"/{found.relative_to(place)}"


def _unpack(packages: list[Path], place: Path) -> Path:
    subprocess.run(["rm", "-rf", place], check=True)
    for each in ("dev", "proc", "run", "tmp", "etc"):
        (place / each).mkdir(parents=True)
    for package in packages:
        subprocess.run(["dpkg-deb", "-x", package, place], check=True)
    for each in MERGED:
        if not (place / each).exists():
            (place / each).symlink_to(f"usr/{each}")
    return place


def libraries(place: Path, name: str) -> list[Path]:
    """Find a library's files without its 32-bit namesakes."""
    folders = ("lib/*-linux-gnu", "usr/lib/*-linux-gnu", "lib64", "usr/lib64", "lib")
    found = [each for folder in folders for each in place.glob(f"{folder}/{name}")]
    return [each for each in found if each.exists()]

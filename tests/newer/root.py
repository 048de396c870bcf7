"""A root directory with the engines and runtimes of a newer Debian suite, unpacked.

Kept from run to run while the packages are the same.
"""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path

from tests.arm64.kept import keep
from tests.arm64.packages import Apt, unpack

PACKAGES = (
    "runc",
    "crun",
    "containerd",
    "docker.io",
    "docker-cli",
    "podman",
    "netavark",
    "conmon",
    "catatonit",
    # programs that tests call by name, and libraries of the host's Python
    "bash",
    "busybox-static",
    "coreutils",
    "criu",
    "dash",
    "diffutils",
    "findutils",
    "grep",
    "gzip",
    "hostname",
    "iproute2",
    "iptables",
    "jq",
    "kmod",
    "libc-bin",
    "libcap2-bin",
    "libseccomp2",
    "libstdc++6",
    "mount",
    "passt",
    "procps",
    "python3",
    "sed",
    "strace",
    "tar",
    "tini",
    "uidmap",
    "util-linux",
)

USERS = """\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
GROUPS = "root:x:0:\ndaemon:x:1:\nwww-data:x:33:\ndocker:x:999:\nnogroup:x:65534:\n"

TABLES = ("iptables", "ip6tables", "iptables-restore", "ip6tables-restore")

EMPTY = ("proc", "sys", "dev", "run", "tmp", "root", "mnt", "var/lib", "usr/local/lib", "home")


def make_root(folder: Path, suite: str) -> Path:
    """Fetch and unpack missing parts."""
    apt = Apt(folder / f"apt-{suite}", ("amd64",), suite)
    apt.update()
    packages = apt.closure(PACKAGES)
    key = "\n".join([path.name for path in packages] + [Path(__file__).read_text()])
    return keep(folder, f"root-{suite}", key, partial(_build, packages))


def _build(packages: list[Path], root: Path) -> None:
    unpack(packages, root)
    lib64 = root / "lib64"
    if not lib64.exists():
        lib64.symlink_to("usr/lib64")
    for name in EMPTY:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "etc/passwd").write_text(USERS)
    (root / "etc/group").write_text(GROUPS)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (root / "etc/resolv.conf").touch()  # CRI copies it into each pod
    for name in TABLES:  # links that the package creates when it is installed
        (root / "usr/sbin" / name).symlink_to("xtables-nft-multi")
    subprocess.run(["ldconfig", "-r", root], check=True)

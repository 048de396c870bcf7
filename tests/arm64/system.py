"""The guest's system: Debian's arm64 kernel, and its packages as an initramfs.

Kept from run to run as long as the packages are the same.
"""

from __future__ import annotations

import hashlib
import lzma
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.arm64 import archive
from tests.arm64.packages import Apt, unpack

KERNEL = "linux-image-cloud-arm64"
PACKAGES = (
    "runc",
    "crun",
    "busybox-static",
    "docker.io",
    "docker-cli",
    "strace",
    "python3",
    "python3-venv",
    "golang-github-containers-common",
    # programs that tests call by name
    "bash",
    "coreutils",
    "dash",
    "diffutils",
    "findutils",
    "grep",
    "hostname",
    "kmod",
    "mount",
    "procps",
    "sed",
    "tini",
    "util-linux",
)

# Excluded files of the packages: everything else is kept in the guest's memory.
UNUSED = (
    "usr/share/man",
    "usr/share/doc",
    "usr/share/locale",
    "usr/share/zoneinfo",
    "usr/lib/aarch64-linux-gnu/gconv",
    "usr/lib/aarch64-linux-gnu/xtables",
    "usr/bin/ctr",
    "usr/bin/containerd-shim",
    "usr/bin/containerd-shim-runc-v1",
)

USERS = """\
root:x:0:0:root:/root:/bin/sh
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""


class System:
    """A system kept in `folder` under `name`; `more` are additional packages."""

    def __init__(self, folder: Path, name: str = "system", more: Sequence[str] = ()) -> None:
        self.folder = folder
        self.name = name
        self.wanted = [*PACKAGES, *more]

    def make(self) -> tuple[Path, Path, Path]:
        """Fetch and unpack missing parts: kernel, initramfs, the overlay module."""
        apt = Apt(self.folder / "apt")
        apt.update()
        (image, *_) = apt.depends(KERNEL)
        packages = [apt.single(image), *apt.closure(self.wanted)]
        names = "\n".join([path.name for path in packages] + [Path(__file__).read_text()])
        key = hashlib.sha256(names.encode()).hexdigest()[:16]
        place = self.folder / f"{self.name}-{key}"
        if not place.exists():
            part = self.folder / "system.part"
            shutil.rmtree(part, ignore_errors=True)
            self._build(part, packages)
            for old in self.folder.glob(f"{self.name}-*"):
                shutil.rmtree(old)
            part.rename(place)
        return place / "vmlinuz", place / "base.cpio", place / "overlay.ko"

    def _build(self, place: Path, packages: Sequence[Path]) -> None:
        place.mkdir(parents=True)
        kernel, root = place / "kernel", place / "root"
        subprocess.run(["dpkg-deb", "-x", packages[0], kernel], check=True)
        (vmlinuz,) = (kernel / "boot").glob("vmlinuz-*")
        vmlinuz.rename(place / "vmlinuz")
        (module,) = kernel.rglob("overlay.ko.xz")
        (place / "overlay.ko").write_bytes(lzma.decompress(module.read_bytes()))
        unpack(packages[1:], root)
        _finish(root)
        archive.write(root, place / "base.cpio")
        shutil.rmtree(kernel)
        shutil.rmtree(root)


def _finish(root: Path) -> None:
    """Do the work of the packages' scripts as far as it matters here."""
    for name in UNUSED:
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (root / "etc/passwd").write_text(USERS)
    (root / "etc/group").write_text("root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n")
    # Python without compiled modules starts several times slower under emulation. They are the same
    # for every machine, but not for every version.
    version = next(path.name for path in (root / "usr/lib").glob("python3.*"))
    if compiler := shutil.which(version):
        words = ["-m", "compileall", "-q", "-j0", "--invalidation-mode", "unchecked-hash"]
        subprocess.run([compiler, *words, root / "usr/lib" / version], check=True)

"""x86-64 kernels of Debian, from the oldest suite to the newest, and the modules a guest needs.

Debian has no kernel at the recorder's lower bound (Linux 5.15) and at that of `ps` (5.8): those are
Ubuntu's, 5.8 without type information (BTF), as `ps` and `record` then say.

None is installed: an apt with a state of its own fetches them, and they are unpacked.
"""

from __future__ import annotations

import gzip
import lzma
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import zstandard

from tests.arm64 import archive
from tests.arm64.kept import keep
from tests.arm64.packages import Apt

METAPACKAGE = "linux-image-amd64"

SUITES = ("bullseye", "bookworm", "trixie", "testing")

# Suite -> the part of the archive, and the release.
UBUNTU = {"jammy": ("jammy", "5.15.0-25"), "focal": ("focal-updates", "5.8.0-63")}
_UBUNTU_SOURCE = (
    "deb [arch=amd64 signed-by=/usr/share/keyrings/ubuntu-archive-keyring.gpg] "
    "http://archive.ubuntu.com/ubuntu {} main\n"
)

_PART = re.compile(r"linux-(binary|modules|base)-\d")  # the last one lists built-in modules

# The host's file system is mounted by 9P over virtio.
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")

INIT = Path(__file__).parent / "guest/init"


@dataclass(frozen=True)
class Kernel:
    """The files to boot: the image, and an initramfs with the modules."""

    suite: str
    release: str
    image: Path
    initramfs: Path


def make_kernel(folder: Path, suite: str) -> Kernel:
    """Fetch and unpack missing parts."""
    source = _UBUNTU_SOURCE.format(UBUNTU[suite][0]) if suite in UBUNTU else None
    apt = Apt(folder / f"apt-{suite}", ("amd64",), suite, source)
    apt.update()
    packages = [apt.single(name) for name in _name_packages(apt, suite)]
    own = Path(__file__).read_text() + INIT.read_text()
    key = "\n".join([path.name for path in packages]) + own
    kept = keep(folder, f"kernel-{suite}", key, partial(_build, packages))
    return Kernel(suite, (kept / "release").read_text(), kept / "vmlinuz", kept / "initramfs")


def _name_packages(apt: Apt, suite: str) -> list[str]:
    """Return the packages of image and modules: since Linux 7.0 the image's package is empty."""
    if suite in UBUNTU:
        kinds = ("image", "modules", "modules-extra")
        return [f"linux-{part}-{UBUNTU[suite][1]}-generic" for part in kinds]
    image = next(name for name in apt.depends(METAPACKAGE) if re.match(r"linux-image-\d", name))
    parts = [name for name in apt.depends(image) if _PART.match(name)]
    return parts or [image]


def _build(packages: list[Path], target: Path) -> None:
    unpacked = target / "unpacked"
    for package in packages:
        subprocess.run(["dpkg-deb", "-x", package, unpacked], check=True)
    (image,) = [*unpacked.rglob("vmlinuz-*"), *unpacked.rglob("modules/*/vmlinuz")]
    image.rename(target / "vmlinuz")
    (folder,) = [path for path in unpacked.rglob("modules/*") if (path / "kernel").is_dir()]
    (target / "release").write_text(folder.name)
    root = target / "root"
    (root / "modules").mkdir(parents=True)
    base = folder.parents[2] if folder.parents[1].name == "lib" else folder.parents[1]
    names = _copy_modules(base, folder.name, root / "modules")
    (root / "modules/list").write_text("\n".join(names) + "\n")
    shutil.copy("/usr/bin/busybox", root / "busybox")
    shutil.copy(INIT, root / "init")
    (root / "init").chmod(0o755)
    for name in ("proc", "dev", "host", "extra", "memory", "root"):
        (root / name).mkdir()
    archive.write(root, target / "initramfs")
    shutil.rmtree(root)
    shutil.rmtree(unpacked)


def _copy_modules(base: Path, release: str, target: Path) -> list[str]:
    """Decompress the modules and their dependencies; return their names in the order of loading."""
    subprocess.run(["depmod", "-b", base, release], check=True, capture_output=True)
    names: dict[str, None] = {}
    for module in MODULES:
        words = ["modprobe", "-d", base, "-S", release, "--show-depends", module]
        shown = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        for line in shown.splitlines():
            kind, _, path = line.partition(" ")
            if kind == "insmod":
                source = Path(path.split()[0])
                name = re.sub(r"\.(xz|zst|gz)$", "", source.name)
                (target / name).write_bytes(_decompress(source))
                names[name] = None
    return list(names)


def _decompress(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(content)
    if path.suffix == ".gz":
        return gzip.decompress(content)
    if path.suffix == ".zst":
        with zstandard.ZstdDecompressor().stream_reader(content) as stream:
            return stream.read()
    return content

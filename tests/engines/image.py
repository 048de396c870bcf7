"""Pack a busybox image as one archive that docker, podman and ctr all load."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

# A registry that does not exist, so that the loaded image is the only one.
IMAGE = "seclatch.test/busybox:latest"

APPLETS = ("sh", "true", "false", "cat", "grep", "sleep", "mkdir", "id", "touch", "kill", "ls")

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def make_rootfs(directory: Path, programs: Mapping[str, Path] | None = None) -> Path:
    """Make a root directory with busybox, its applets, and static programs in /bin by name."""
    for folder in ("bin", "proc", "dev", "tmp", "etc", "sys"):
        (directory / folder).mkdir(parents=True)
    shutil.copy("/usr/bin/busybox", directory / "bin/busybox")
    for applet in APPLETS:
        (directory / "bin" / applet).symlink_to("busybox")
    for name, program in (programs or {}).items():
        shutil.copy(program, directory / "bin" / name)
    users = "root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n"
    (directory / "etc/passwd").write_text(users)
    return directory


def make_archive(
    rootfs: Path,
    target: Path,
    reference: str = IMAGE,
    command: Sequence[str] = ("/bin/sh",),
    path: str = "/bin",
) -> Path:
    """Pack a root directory as a one-layer image (the format of `docker save`)."""
    layer = pack_layer(rootfs)
    digest = hashlib.sha256(layer).hexdigest()
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Env": [f"PATH={path}"], "Cmd": [*command]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    content = json.dumps(config).encode()
    name = hashlib.sha256(content).hexdigest()
    manifest = [
        {"Config": f"{name}.json", "RepoTags": [reference], "Layers": [f"{digest}/layer.tar"]}
    ]
    with tarfile.open(target, "w") as archive:
        add(archive, f"{name}.json", content)
        add(archive, f"{digest}/layer.tar", layer)
        add(archive, "manifest.json", json.dumps(manifest).encode())
    return target


def pack_layer(rootfs: Path) -> bytes:
    """Pack a directory as root's files, modes (set-user-id too) kept."""

    def as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ""
        return member

    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        for path in sorted(rootfs.iterdir()):
            archive.add(path, path.name, filter=as_root)
    return layer.getvalue()


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add one file to an archive."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))

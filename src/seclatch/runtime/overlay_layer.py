"""Mount a temporary overlay over a root directory: the container's writes are dropped at its end.

As with an image under `docker run`, no container changes the root directory, neither the one in the
cache nor the user's; data to keep goes to a volume. The mounts are made in this process's own mount
namespace, so even SIGKILL leaves none behind.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.system import mount


@contextlib.contextmanager
def mount_overlay(rootfs: Path, place: Path, scratch: Path, *, devices: bool) -> Iterator[None]:
    """Mount `rootfs` at the directory `place` with an upper layer in memory, until the end.

    `scratch` is a directory for that layer. Without `devices` no device file in it can be opened:
    for hosts where no cgroup controls devices. Raises SeclatchError.
    """
    with contextlib.ExitStack() as mounted:
        try:
            mount_scratch(scratch, mounted)
            mount_layer(rootfs, place, scratch, devices, mounted)
        except OSError as error:
            raise SeclatchError(
                f"cannot lay a throwaway layer over the rootfs {rootfs}: {error.strerror}",
                remedy="the kernel needs overlayfs (modprobe overlay), and the rootfs a file "
                "system that can lie under one (see the end of dmesg)",
            ) from error
        yield


def mount_scratch(scratch: Path, mounted: contextlib.ExitStack, size: int = 0) -> None:
    """Mount memory for the layer: `size` bytes, or half of it (tmpfs(5)). Raises OSError."""
    limit = f",size={size}" if size else ""
    mount.mount("tmpfs", str(scratch), "tmpfs", 0, f"mode=0700{limit}")
    mounted.callback(mount.unmount, str(scratch))


def mount_layer(
    rootfs: Path, place: Path, scratch: Path, devices: bool, mounted: contextlib.ExitStack
) -> None:
    """Mount it as `mount_overlay` does; `mounted` gets what undoes that. Raises OSError."""
    lower = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mounted.callback(os.close, lower)
    upper, work = scratch / "upper", scratch / "work"
    work.mkdir()
    upper.mkdir()
    # The container's / has the owner and mode of the upper directory, not of the lower one.
    status = os.fstat(lower)
    os.chown(upper, status.st_uid, status.st_gid)
    upper.chmod(status.st_mode & 0o7777)
    # By descriptor: overlayfs has its own syntax for colons and commas in paths.
    options = f"lowerdir=/proc/self/fd/{lower},upperdir={upper},workdir={work}"
    mount.mount("overlay", str(place), "overlay", 0 if devices else mount.MS_NODEV, options)
    mounted.callback(mount.unmount, str(place))

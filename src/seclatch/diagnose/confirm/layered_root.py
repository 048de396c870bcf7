"""Lay a temporary layer over a bundle's root directory for one further run.

The mounts are made in a mount namespace of the run's own, so that they go with its last process:
also when this program is killed, nothing is left to unmount.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from seclatch.diagnose.confirm.effects.mount_effects import list_mount_points
from seclatch.runtime.overlay_layer import mount_layer, mount_scratch
from seclatch.system.mount import unshare_mounts
from seclatch.system.openat2 import open_in_root

ROOT, _LAYER = "rootfs", "layer"
_LEAST_SIZE = 64 << 20


class LayeredRoot:
    """The root directory of a bundle; `devices`: a control group decides about its devices."""

    def __init__(self, root: Path, *, devices: bool) -> None:
        self._root = root
        self._devices = devices
        self._hidden: tuple[str, ...] = ()

    def hide(self, paths: Sequence[str]) -> bool:
        """Hide paths from further runs; return whether that is possible."""
        self._hidden = tuple(paths)
        return not self.obstacle

    @cached_property
    def obstacle(self) -> str:
        """Return why no layer can be laid over it; "" if one can."""
        root = os.path.realpath(self._root)
        if below := next((at for at in list_mount_points() if _is_below(at, root)), ""):
            return f"{below}, in its root directory, is a mount, which a layer would not show"
        with tempfile.TemporaryDirectory(prefix="seclatch-confirm-") as folder:
            number = _try_in_child(self.plan(Path(folder)))
        if number:
            reason = os.strerror(number)
            return f"no temporary layer can be laid over its root directory {root}: {reason}"
        return ""

    def plan(self, folder: Path) -> Callable[[], None]:
        """Return what mounts it at ROOT in a folder, in the run's process before its exec.

        That raises OSError.
        """
        (folder / ROOT).mkdir()
        (folder / _LAYER).mkdir()

        def prepare() -> None:
            unshare_mounts()
            kept = contextlib.ExitStack()  # the mounts go with the namespace
            mount_scratch(folder / _LAYER, kept, _choose_size())
            mount_layer(self._root, folder / ROOT, folder / _LAYER, self._devices, kept)
            for path in self._hidden:
                _remove(folder / ROOT, path)

        return prepare


def _choose_size() -> int:
    """Return the bytes of memory that a run may write instead of its disk.

    Pages of tmpfs count for the control group that writes them; a bundle may have no limit there.
    """
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(free // 4, _LEAST_SIZE)


def _is_below(path: str, root: str) -> bool:
    return path.startswith(root.rstrip("/") + "/")


def _remove(root: Path, path: str) -> None:
    """Remove a path below a root directory, whatever links are on the way to it."""
    folder, name = os.path.split(path)
    top = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    parent = open_in_root(top, folder or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            shutil.rmtree(name, dir_fd=parent)
        else:
            os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        pass  # gone since
    finally:
        os.close(parent)
        os.close(top)


def _try_in_child(prepare: Callable[[], None]) -> int:
    """Return the errno with which a child process fails to prepare the mounts; 0 if it does not."""
    pid = os.fork()
    if pid == 0:
        number = 255
        try:
            prepare()
            number = 0
        except OSError as error:
            number = error.errno or 255
        finally:
            os._exit(number)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

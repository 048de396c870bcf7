"""Changes of the file system that can describe, apply and undo themselves."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from seclatch.errors import SeclatchError

# Configuration files and the latch are far smaller; a bound keeps a hostile one out of memory.
MAX_FILE = 16 << 20


class ChangeStep(Protocol):
    """A reversible change; `undo` is called only after `apply` succeeded."""

    def describe(self) -> str:
        """Return what `apply` does, in one line and in the imperative."""

    def diff(self) -> list[str]:
        """Return the changed lines of a text file, none for other changes."""

    def apply(self) -> None:
        """Make the change, or raise and leave everything as it was."""

    def undo(self) -> None:
        """Restore the state from before `apply`."""


@dataclass(frozen=True)
class FileState:
    """A regular file: its bytes, permission bits, owner and extended attributes (labels)."""

    content: bytes
    mode: int = 0o644
    uid: int | None = None
    gid: int | None = None
    xattrs: tuple[tuple[str, bytes], ...] = ()

    def replaced(self, content: bytes) -> FileState:
        """Return the same file with other bytes."""
        return FileState(content, self.mode, self.uid, self.gid, self.xattrs)


def read_file(path: Path) -> FileState | None:
    """Read a regular file that is not a symbolic link; None if there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SeclatchError(f"reading {path}: {error.strerror}") from error
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise SeclatchError(f"reading {path}: not a regular file")
    with os.fdopen(fd, "rb") as file:
        content = file.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            raise SeclatchError(f"reading {path}: larger than {MAX_FILE >> 20} MiB")
        mode = stat.S_IMODE(status.st_mode)
        return FileState(content, mode, status.st_uid, status.st_gid, read_xattrs(fd))


def read_xattrs(fd: int) -> tuple[tuple[str, bytes], ...]:
    """Read the extended attributes, SELinux's label among them; none where unsupported."""
    try:
        return tuple((name, os.getxattr(fd, name)) for name in os.listxattr(fd))
    except OSError:
        return ()


@dataclass(frozen=True)
class FileChange:
    """A file made (`before` None), replaced, or removed (`after` None), always by rename(2)."""

    path: Path
    before: FileState | None
    after: FileState | None
    purpose: str
    shown: bool = False  # whether its lines are worth showing

    def describe(self) -> str:
        """Name the file and its purpose."""
        if self.after is None:
            return f"remove {self.path} ({self.purpose})"
        return f"{'change' if self.before else 'write'} {self.path} ({self.purpose})"

    def apply(self) -> None:
        """Replace the file unless another process changed it since the plan was made."""
        if read_file(self.path) != self.before:
            raise SeclatchError(
                f"changing {self.path}: another process changed it at this moment",
                remedy="run the command again",
            )
        place_file(self.path, self.after)

    def undo(self) -> None:
        """Restore the former file."""
        place_file(self.path, self.before)

    def diff(self) -> list[str]:
        """Return a unified diff without its header."""
        if not self.shown:
            return []
        try:
            old, new = (
                state.content.decode().splitlines() if state else []
                for state in (self.before, self.after)
            )
        except UnicodeDecodeError:
            return []
        return list(difflib.unified_diff(old, new, n=1, lineterm=""))[2:]


def place_file(path: Path, state: FileState | None) -> None:
    """Write a temporary file and rename it: a reader sees the old file or the whole new one."""
    if state is None:
        path.unlink(missing_ok=True)
        return
    beside = temporary_path(path)
    fd = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(state.content)
            if state.uid is not None and state.gid is not None:
                os.fchown(fd, state.uid, state.gid)
            os.fchmod(fd, state.mode)
            for attribute, value in state.xattrs:
                os.setxattr(fd, attribute, value)
            file.flush()
            os.fsync(fd)
        beside.rename(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def temporary_path(path: Path) -> Path:
    """Return a name beside the file that holds this process's id (see leftover_files.py)."""
    return path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.seclatch")


def sync_directory(path: Path) -> None:
    """Make a rename survive a power cut (fsync(2): the directory needs its own)."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@dataclass(frozen=True)
class LinkChange:
    """A symbolic link made, retargeted, or removed (`after` None)."""

    path: Path
    before: str | None
    after: str | None

    def describe(self) -> str:
        """Name the link and its target."""
        if self.after is None:
            return f"remove the link {self.path}"
        return f"link {self.path} -> {self.after}"

    def diff(self) -> list[str]:
        """Return nothing beyond the description."""
        return []

    def apply(self) -> None:
        """Replace the link in one rename."""
        place_link(self.path, self.after)

    def undo(self) -> None:
        """Restore the former link."""
        place_link(self.path, self.before)


def place_link(path: Path, target: str | None) -> None:
    """Point a link at `target`, or remove it."""
    if target is None:
        path.unlink(missing_ok=True)
        return
    beside = temporary_path(path)
    beside.symlink_to(target)
    try:
        beside.rename(path)
    except OSError:
        beside.unlink()
        raise


@dataclass(frozen=True)
class DirectoryChange:
    """A directory made (`present`) or, being empty, removed."""

    path: Path
    present: bool
    mode: int = 0o755

    def describe(self) -> str:
        """Name the directory."""
        return f"{'make' if self.present else 'remove'} the directory {self.path}"

    def diff(self) -> list[str]:
        """Return nothing beyond the description."""
        return []

    def apply(self) -> None:
        """Make or remove the directory."""
        if not self.present:
            self.path.rmdir()
            return
        self.path.mkdir(mode=self.mode)
        self.path.chmod(self.mode)  # mkdir(2) takes the umask off

    def undo(self) -> None:
        """Reverse `apply`."""
        DirectoryChange(self.path, not self.present, self.mode).apply()


def apply_steps(steps: Sequence[ChangeStep]) -> None:
    """Apply all steps, or none: the first failure undoes the earlier ones, newest first."""
    done: list[ChangeStep] = []
    for step in steps:
        try:
            step.apply()
        except (OSError, SeclatchError) as error:
            raise make_step_error(step, error, done, roll_back(done)) from error
        except BaseException:
            roll_back(done)
            raise
        done.append(step)


def roll_back(done: Sequence[ChangeStep]) -> list[str]:
    """Undo the steps, newest first; return the descriptions of those that failed."""
    stuck = []
    for step in reversed(done):
        try:
            step.undo()
        except (OSError, SeclatchError):
            stuck.append(step.describe())
    return stuck


def make_step_error(
    step: ChangeStep,
    error: OSError | SeclatchError,
    done: Sequence[ChangeStep],
    stuck: Sequence[str],
) -> SeclatchError:
    """Make the error that names the failed step and the state in which it left the system."""
    cause = f"{step.describe()}: {error.strerror}" if isinstance(error, OSError) else str(error)
    remedy = error.remedy if isinstance(error, SeclatchError) else ""
    if stuck:
        return SeclatchError(f"{cause}; not undone: {'; '.join(stuck)}", remedy=remedy)
    note = " (all earlier steps are undone)" if done else ""
    return SeclatchError(f"{cause}{note}", remedy=remedy)

"""Decide whether the kernel failed a call because an earlier one was denied.

`mkdir /srv/d; cp x /srv/d/f`: cp's ENOENT is the denied mkdir's. What ties the two is the path, and
the error that the denied call would have prevented.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from enum import IntEnum
from errno import (
    EACCES,
    EADDRINUSE,
    EBUSY,
    ECONNREFUSED,
    EEXIST,
    EISDIR,
    ENOENT,
    ENOTDIR,
    ENOTEMPTY,
    EPERM,
)

from seclatch.recording.backends.bpf.detail_events import Seen

_CREATING_TEXT = """
mkdir mkdirat mknod mknodat link linkat symlink symlinkat rename renameat renameat2 creat
"""
_CREATING = frozenset(_CREATING_TEXT.split())
_OPENING = {"open": 1, "openat": 2}  # the argument with the flags
_O_CREAT = 0x40
_REMOVING_TEXT = """
unlink unlinkat rmdir rename renameat renameat2 umount2
"""
_REMOVING = frozenset(_REMOVING_TEXT.split())
_ATTRIBUTES_TEXT = """
chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat setxattr lsetxattr fsetxattr
removexattr lremovexattr fremovexattr
"""
_ATTRIBUTES = frozenset(_ATTRIBUTES_TEXT.split())
_BY_DESCRIPTOR = {"fchmod", "fchown", "fsetxattr", "fremovexattr"}
_MOUNTING_TEXT = "mount move_mount fsmount fsopen open_tree mount_setattr pivot_root"
_MOUNTING = frozenset(_MOUNTING_TEXT.split())
_IDENTITY = (
    "setuid setgid setresuid setresgid setreuid setregid setgroups setfsuid setfsgid capset prctl "
    "unshare setns clone clone3 keyctl add_key"
)
# Calls that change what a process may do or see: anything later may fail because of them.
_CONTEXT = {
    EACCES: _IDENTITY,
    EPERM: _IDENTITY,
    ENOENT: "chroot chdir fchdir setns unshare pivot_root execve bind",
    ECONNREFUSED: "bind listen socket clone clone3 fork vfork execve",
}
_ON_NAMES = (ENOENT, ENOTDIR)
_ON_LEFTOVERS = (EEXIST, ENOTEMPTY, EISDIR, EBUSY, EADDRINUSE)
_ON_MODES = (EACCES, EPERM)


# Programs that do no more than their operands say.
_SINGLE_PURPOSE_TEXT = """
mkdir rmdir touch chmod chown chgrp ln mv cp rm mknod mkfifo mount umount install nice renice chrt
ionice taskset setpriv unshare sysctl ulimit id getent date hostname true false test stat ls
"""
_SINGLE_PURPOSE = frozenset(_SINGLE_PURPOSE_TEXT.split())


class Relation(IntEnum):
    """Whether a failure follows from a denial."""

    NO = 0
    MAYBE = 1
    YES = 2


def relate(denied: Seen, name: str, failed: Seen, operands: tuple[str, ...] = ()) -> Relation:
    """Return whether a call that the kernel failed later failed because of the denied one.

    `operands`: of the denied program's command line, if it failed itself: all that it was to do is
    missing then.
    """
    if failed.time <= denied.time:
        return Relation.MAYBE if _is_checked(denied, failed) else Relation.NO
    return max(_relate_call(denied, name, failed), _relate_program(denied, failed, operands))


def _is_checked(denied: Seen, failed: Seen) -> bool:
    """Return whether a failed call was about the denied one's file, or one below it, before it.

    A program looks for what it then makes: that it reports it missing tells nothing.
    """
    pairs = [(path, other) for path in denied.paths for other in failed.paths]
    return any(_cover(path, other) or _cover(other, path) for path, other in pairs)


def _relate_program(denied: Seen, failed: Seen, operands: tuple[str, ...]) -> Relation:
    """Return whether a program was to make what is missing, by its operands."""
    if not operands:
        return Relation.NO
    program, *words = operands
    if failed.errno not in _ON_NAMES:
        return Relation.NO if has_single_purpose(program) else Relation.MAYBE
    above = [word for word in words if "/" in word and not word.startswith("-")]
    covers = [_cover(word, path) for word in above for path in failed.paths]
    if any(posixpath.normpath(word) in failed.paths for word in above):
        return Relation.YES
    relative = [_cover(path, other) for path in denied.paths for other in failed.paths]
    by_both = Relation.YES in covers and Relation.MAYBE in relative
    if by_both or (Relation.YES in covers and program in _MOUNTING):
        return Relation.YES
    plain = has_single_purpose(program)
    return Relation.MAYBE if Relation.YES in covers or not plain else Relation.NO


def has_single_purpose(program: str) -> bool:
    """Return whether a program does no more than its operands say."""
    return posixpath.basename(program) in _SINGLE_PURPOSE


def _relate_call(denied: Seen, name: str, failed: Seen) -> Relation:
    code = failed.errno
    pairs = [(path, other) for path in denied.paths for other in failed.paths]
    touched = max((_cover(path, other) for path, other in pairs), default=Relation.NO)
    expected = code in _expected_errors(denied, name)
    if touched and expected:
        return touched
    if expected and any(_is_beside(path, other) for path, other in pairs):
        return Relation.MAYBE
    if touched == Relation.YES:
        return Relation.MAYBE
    if name in _BY_DESCRIPTOR and code in _ON_MODES:
        return Relation.MAYBE
    return Relation.MAYBE if name in _CONTEXT.get(code, "").split() else Relation.NO


def _expected_errors(denied: Seen, name: str) -> Iterator[int]:
    """Yield the errors that later calls on the same path get if the call is not made."""
    if name in _CREATING or (name in _OPENING and denied.args[_OPENING[name]] & _O_CREAT):
        yield from _ON_NAMES
    if name in _REMOVING:
        yield from _ON_LEFTOVERS
    if name in _ATTRIBUTES:
        yield from _ON_MODES
    if name in _MOUNTING:
        yield from (*_ON_NAMES, *_ON_MODES)


def _is_beside(path: str, other: str) -> bool:
    """Return whether two absolute paths have a directory in common, besides /."""
    above = posixpath.dirname(posixpath.normpath(path))
    return posixpath.isabs(path) and above != "/" and other.startswith(f"{above}/")


def _cover(path: str, other: str) -> Relation:
    """Return YES if `other` is `path` or below it, MAYBE if it may be: one of them is relative."""
    first, second = posixpath.normpath(path), posixpath.normpath(other)
    if not path or not other or first in ("/", "."):
        return Relation.NO
    if second == first or second.startswith(f"{first}/"):
        return Relation.YES
    if posixpath.isabs(first) == posixpath.isabs(second):
        return Relation.NO
    if posixpath.isabs(first):
        above = second
        while above and above not in (".", ".."):
            if first.endswith(f"/{above}"):
                return Relation.MAYBE
            above = posixpath.dirname(above)
        return Relation.NO
    return Relation.MAYBE if f"/{first}/" in f"{second}/" else Relation.NO

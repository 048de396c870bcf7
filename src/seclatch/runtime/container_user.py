"""`--user`: resolve user and group by the root directory's own /etc/passwd and /etc/group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from seclatch.errors import InputError

_OPTION = "--user"
_MAX_ID = 2**31 - 1  # as Docker: larger ids are refused


class UserIdentity(NamedTuple):
    """Ids in the container, supplementary groups and the value for HOME."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


class _Account(NamedTuple):
    name: str
    uid: int
    gid: int
    home: str


class _GroupEntry(NamedTuple):
    name: str
    gid: int
    members: tuple[str, ...]


def resolve_user(user: str, passwd: str, group: str) -> UserIdentity:
    """Resolve `UID|NAME[:GID|GROUP]` ("" is root) against the texts of passwd(5) and group(5).

    As `docker run`: a numeric id need not be in the files; its group is then 0 and its home `/`.
    Supplementary groups come from group(5) unless a group was given. Malformed lines of the files
    are skipped, as in getpwnam(3). Raises InputError for names that are not there.
    """
    name, colon, group_name = user.partition(":")
    if colon and not group_name:
        raise InputError(_OPTION, user, "no group after the colon")
    account = _find_account(name or "0", passwd)
    if colon:
        return UserIdentity(account.uid, _find_group(group_name, group), (), account.home)
    groups = [g.gid for g in _read_groups(group) if account.name and account.name in g.members]
    extra = tuple(dict.fromkeys(gid for gid in groups if gid != account.gid))
    return UserIdentity(account.uid, account.gid, extra, account.home)


def _find_account(name: str, passwd: str) -> _Account:
    number = _number(name)
    for account in _read_accounts(passwd):
        if account.name == name or account.uid == number:
            return account
    if number is None:
        raise InputError(
            _OPTION, name, "no such user in the rootfs' /etc/passwd", remedy="give a numeric UID"
        )
    return _Account("", number, 0, "/root" if number == 0 else "/")


def _find_group(name: str, group: str) -> int:
    number = _number(name)
    for entry in _read_groups(group):
        if name == entry.name or entry.gid == number:
            return entry.gid
    if number is None:
        raise InputError(
            _OPTION, name, "no such group in the rootfs' /etc/group", remedy="give a numeric GID"
        )
    return number


def _read_accounts(text: str) -> Iterator[_Account]:
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) < 6:
            continue
        uid, gid = _id(fields[2]), _id(fields[3])
        if fields[0] and uid is not None and gid is not None:
            yield _Account(fields[0], uid, gid, fields[5] if fields[5][:1] == "/" else "/")


def _read_groups(text: str) -> Iterator[_GroupEntry]:
    for line in text.splitlines():
        fields = line.split(":")
        gid = _id(fields[2]) if len(fields) >= 4 else None
        if gid is not None and fields[0]:
            yield _GroupEntry(fields[0], gid, tuple(fields[3].split(",")))


def _id(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    return int(text) if int(text) <= _MAX_ID else None


def _number(text: str) -> int | None:
    """Parse an id from the command line; a number that is no valid id is an error, not a name."""
    if not (text.isascii() and text.isdigit()):
        return None
    number = _id(text)
    if number is None:
        raise InputError(_OPTION, text, f"ids go from 0 to {_MAX_ID}")
    return number

"""Read which error, call and file a line of a program's output is about."""

from __future__ import annotations

import os
import re
from errno import EACCES, EEXIST, ENOENT, ENOTDIR
from functools import cache
from pathlib import PurePosixPath

from seclatch.model.errno import load_errnos

_LAST_ERRNO = 133
# [Errno 13] (Python), os error 13 and Os { code: 13 (Rust), errno=13, (13: ...) (nginx).
_NUMBERED = re.compile(
    r"(?:\[errno |os error |\bcode: |errno[=: ]+-?|\()(\d{1,3})(?=[\]):,; ]|$)", re.IGNORECASE
)
_NAMED = re.compile(r"\bE[A-Z0-9]{2,14}\b")
# Exceptions of Java and kinds of Rust, which do not print the C library's text.
_EXCEPTIONS = {
    "AccessDeniedException": "EACCES",
    "NoSuchFileException": "ENOENT",
    "FileAlreadyExistsException": "EEXIST",
    "DirectoryNotEmptyException": "ENOTEMPTY",
    "NotDirectoryException": "ENOTDIR",
    "No such file or directory": "ENOENT",
}
# The words by which programs name a call, where the call has another name.
_WORDS = {
    "clone": "clone fork thread process child pthread_create posix_spawn",
    "clone3": "clone clone3 fork thread process child pthread_create posix_spawn",
    "fork": "fork process child",
    "vfork": "fork vfork process child",
    "fsopen": "fsopen mount",
    "fsmount": "fsmount mount",
    "fsconfig": "fsconfig mount",
    "move_mount": "move_mount mount",
    "open_tree": "open_tree mount",
    "mount_setattr": "mount_setattr mount",
    "umount2": "umount umount2 unmount unmounting",
    "newfstatat": "stat fstatat newfstatat",
    "openat": "open openat",
    "openat2": "open openat2",
    "unlinkat": "unlink unlinkat rmdir remove removing delete",
    "unlink": "unlink remove removing delete",
    "setresuid": "setuid seteuid setreuid setresuid",
    "setreuid": "setuid seteuid setreuid",
    "setresgid": "setgid setegid setregid setresgid",
    "setregid": "setgid setegid setregid",
    "setgroups": "setgroups initgroups groups",
    "execveat": "exec execve execveat fexecve",
    "execve": "exec execve execvp execv spawn",
    "fchownat": "chown fchownat ownership",
    "lchown": "chown lchown ownership",
    "fchown": "chown fchown ownership",
    "chown": "chown ownership",
    "fchmodat": "chmod fchmodat permissions mode",
    "fchmodat2": "chmod fchmodat permissions mode",
    "fchmod": "chmod fchmod permissions mode",
    "chmod": "chmod permissions mode",
    "sendto": "send sendto",
    "recvfrom": "recv recvfrom",
    "sched_setscheduler": "sched_setscheduler scheduler scheduling",
    "sched_setaffinity": "sched_setaffinity affinity",
    "prlimit64": "setrlimit prlimit ulimit limit",
    "setrlimit": "setrlimit ulimit limit",
    "unshare": "unshare namespace namespaces",
    "setns": "setns namespace nsenter",
}
_SUFFIXES = re.compile(r"(at2?|64|1|2|3|4)$")
_TEXTS = {os.strerror(number).lower(): number for number in range(1, _LAST_ERRNO + 1)}
_TEXT = re.compile("|".join(re.escape(text) for text in sorted(_TEXTS, key=len, reverse=True)))
_IMPLIED = (
    (re.compile(r"\b(not found|(does not|doesn't|did not) exist|cannot be found)\b"), ENOENT),
    (re.compile(r"\b(already exists?|exists already)\b"), EEXIST),
    (re.compile(r"\bnot a directory\b"), ENOTDIR),
    (re.compile(r"\b(not (readable|writable|writeable|accessible))\b"), EACCES),
)
_WARNING = re.compile(
    r"\bwarn(ing)?\b|\bignor(e|ed|ing)\b|\bcontinu(e|ing)\b|\bskip(ped|ping)?\b|fall(ing)? ?back|"
    r"\bnon-fatal\b|\boptional\b|\bnotice\b|\bdisabl(ed|ing)\b|\bwithout\b|\bdebug\b|\binfo\b|"
    r"\bnot critical\b|\banyway\b|\bretry|\binstead\b|\bdegraded\b|\bbest.effort\b",
    re.IGNORECASE,
)
# What follows the line that names the reason: a stack, a hint, a version, the end that came of it.
_CONSEQUENCE = re.compile(
    r"^\S*$|^\w+: \S+$|^[}{()\[\]^~]|^[\w./*]+\(.*\)$|^created by|stack traceback|"
    r"^(at|from|caused by|hint|detail|traceback|usage|try|see|note|node\.js|goroutine|exit status|"
    r"npm|[\w./-]+:\d+)\b|"
    r"\bdied\b|returned (an? )?(error|non-zero)|\bexit(ed|ing|s)?\b|\babort|terminat|\bstopp|"
    r"giving up|(cannot|can't) (continue|go on)|not recoverable|removing|\bpanic|backtrace|"
    r"child process|\bstatus \d|\bcode \d|shut(ting)? ?down|rolled? ?back|more information|"
    r"previous error|(start\w*|initiali\w*|boot\w*|launch\w*) failed|error initiali|"
    r"(fail|failed|failure|failing) (to|at|in|during) (start|initiali|boot|launch)",
    re.IGNORECASE,
)


@cache
def find_errnos(text: str) -> frozenset[int]:
    """Return the errors that a line names: by number or name, else by the C library's text."""
    named = {load_errnos().get(name, 0) for name in _NAMED.findall(text)}
    named |= {load_errnos()[name] for word, name in _EXCEPTIONS.items() if word in text}
    found = {_TEXTS[match] for match in _TEXT.findall(text.lower())}
    numbered = {int(digits) for digits in _NUMBERED.findall(text)}
    if found and found & numbered:
        return frozenset(found & numbered)
    if not found and re.search(r"\[errno |os error |\bcode: |errno[=:]", text, re.IGNORECASE):
        found = {number for number in numbered if number <= _LAST_ERRNO}
    return frozenset(named - {0} | found)


def find_implied_errnos(text: str) -> frozenset[int]:
    """Return the errors that a line names in a program's own words, such as `not found`.

    They are about a file only if the line names it: a table does not exist either.
    """
    return frozenset(number for pattern, number in _IMPLIED if pattern.search(text))


def names_path(text: str, path: str) -> bool:
    """Return whether a line names a file by its whole path, or by a last part that stands alone."""
    if len(path) > 1 and _stands_alone(text, path):
        return True
    name = PurePosixPath(path).name
    return len(name) > 2 and name != path and _stands_alone(text, name)


def names_path_below(text: str, path: str) -> bool:
    """Return whether a line names a file below a directory."""
    return bool(path) and bool(re.search(rf"(?<![\w./-]){re.escape(path.rstrip('/'))}/", text))


def _stands_alone(text: str, word: str) -> bool:
    return bool(re.search(rf"(?<![\w./-]){re.escape(word)}(?![\w/-]|\.\w)", text))


def names_call(text: str, name: str) -> bool:
    """Return whether a line names a call by one of the words that programs use for it."""
    short = _SUFFIXES.sub("", name)
    words = {name, name.replace("_", ""), *_WORDS.get(name, short).split()}
    words |= {short, short.replace("_", "")}
    return any(
        re.search(rf"(?<![\w/]){re.escape(word)}s?(?![\w/])", text.lower()) for word in words
    )


def is_warning(text: str) -> bool:
    """Return whether a line says that the program goes on."""
    return bool(_WARNING.search(text))


def is_consequence(text: str) -> bool:
    """Return whether a line only follows from the error before it."""
    return not text.strip() or bool(_CONSEQUENCE.search(text))

"""Decide whether last words that name no error of the kernel are about a denied call.

`can't start new thread` is about clone3; `queue is empty` is about no call, and a reason of the
program's own.
"""

from __future__ import annotations

import re

from seclatch.diagnose.denials.error_lines import names_call, names_path, names_path_below
from seclatch.recording.backends.bpf.detail_events import Seen

# What programs call the thing that a call is about, by a part of the call's name.
_TOPICS = {
    "sync": "sync disk flush",
    "mkdir": "director folder dir creat mak path",
    "mknod": "creat device node pipe fifo",
    "link": "link creat",
    "rename": "rename mov replac writ save saving",
    "chmod": "mode permission chmod",
    "chown": "owner chown group",
    "unlink": "remov delete unlink",
    "rmdir": "remov delete director",
    "open": "open read writ file load",
    "sock": "socket network connect address port listen bind",
    "bind": "bind listen address port socket",
    "listen": "listen port socket",
    "connect": "connect server network host",
    "clone": "thread process fork child spawn worker resource",
    "fork": "process fork child spawn worker resource",
    "exec": "exec run start command program",
    "mount": "mount filesystem",
    "set": "user group identity privilege",
    "shm": "shared memory segment",
    "sem": "semaphore",
    "ipc": "shared memory semaphore queue",
    "lock": "lock",
    "flock": "lock",
    "rlimit": "limit descriptors open files ulimit",
    "prlimit": "limit descriptors open files ulimit",
    "affinity": "affinity cpu processor core",
    "sched": "priority schedule",
    "random": "random entropy seed",
    "time": "clock time",
    "epoll": "event poll loop",
    "event": "event poll loop",
    "inotify": "watch notif",
    "memfd": "memory memfd",
    "mem": "memory",
    "mmap": "memory allocate",
    "brk": "memory allocate",
    "mprotect": "memory protect relocation",
    "key": "key keyring",
    "ptrace": "trace attach debug",
    "unshare": "namespace sandbox",
    "setns": "namespace",
    "chroot": "root chroot",
    "sysinfo": "memory sysinfo",
    "stat": "stat file found exist",
    "access": "access exist file found",
    "dir": "director",
    "dents": "director list",
    "cwd": "director",
}
_REFUSED = re.compile(
    r"permi|denied|privileg|not allowed|forbid|\broot\b|superuser|authenti|operation not|seccomp|"
    r"sandbox|syscall|system call|function not implemented|unsupported|not supported|refus",
    re.IGNORECASE,
)
# Exceptions that programs raise for reasons of their own, not for an error of the operating system.
_EXCEPTION = re.compile(
    r"\b(Name|Type|Value|Key|Index|Attribute|Import|ModuleNotFound|Assertion|Syntax|Range|Reference|"
    r"ZeroDivision|Runtime|Unicode\w*|JSONDecode|Recursion|Argument|NoMethod)Error\b|"
    r"\b(Illegal(State|Argument)|NullPointer|ClassCast|NumberFormat|IndexOutOfBounds)Exception\b|"
    r"undefined (function|method|variable|symbol|local)|syntax error|stack traceback|"
    r"\b[Uu]n(caught|handled)\b",
)
# Errors in a program, its input, its configuration or its command line: those that no missing
# permission brings about. (RuntimeError and the like may report anything.)
_MISTAKE = re.compile(
    r"\b(Name|Type|Value|Key|Index|Attribute|ModuleNotFound|Assertion|Syntax|Range|Reference|"
    r"ZeroDivision|Unicode\w*|JSONDecode|Recursion|Argument|NoMethod)Error\b|"
    r"\b(IllegalArgument|NullPointer|ClassCast|NumberFormat|IndexOutOfBounds)Exception\b|"
    r"\bundefined\b|\bsyntax\b|\bpars(e|er|ing)\b|\busage\b|by zero\b|\bunrecogni[sz]ed\b|"
    r"\bunknown (?!error|reason|cause|user|group|host|device|syscall|system)\w|"
    r"\bcommand not found\b|"
    r"\b(invalid|bad|wrong|illegal) (option|value|syntax|literal|number|size|format|json|type|"
    r"expression|token|character|password|directive|configuration|keyword)|\bunbound\b|"
    r"\bunexpected (token|end|character|argument)|\bnot (defined|a (valid|number))\b|"
    r"\bno such (table|column|module|key|method|function)|\bchecksum\b|\bcorrupt|"
    r"\bunset\b|\bmodule '\S+' not found|\bwrong-type\b|cannot be (cast|converted)|"
    r"\bassert(ion)?\b",
    re.IGNORECASE,
)
_ASSERTION = re.compile(r"\bassert", re.IGNORECASE)
# A frame of a stack, or the source line that it quotes: not what went wrong.
_FRAME = re.compile(
    r"^(at |from |in |File \"|#\d+ |\d+: ?\(|\.\.\. \d+ more|[\^~ ]+$|Traceback |Backtrace|"
    r"[\w./-]+:\d+(:\d+)?(:in [`'][^']*')?$)"
)
# What a program says of connections, names and hosts.
_NETWORK = re.compile(
    r"\bconnect|\bhost(name)?\b|\bresol(v|ution)|\bunreachable\b|\bserver\b|\bremote\b|\bport \d",
    re.IGNORECASE,
)
_NETWORKING = re.compile(
    r"sock|bind|listen|connect|accept|send|recv|poll|select|clone|fork|exec|open|set|ipc|unshare"
)
_SHORT, _LONG = 6, 20
"""Characters: shorter lines occur in a program's text by chance, and longer words are a program."""

# Calls that only ask, or give advice: without them a program has less information, and goes on.
_ADVICE_TEXT = """
prlimit64 getrlimit setrlimit sched_getaffinity sched_setaffinity sched_setscheduler sched_setattr
setpriority sysinfo madvise fadvise64 mincore getcpu getrusage times getpriority sched_getparam
sched_getscheduler ioprio_set mlock mlockall mlock2 prctl arch_prctl uname getuid geteuid getgid
getegid getgroups name_to_handle_at statfs fstatfs readahead sync_file_range umask setsid setpgid
getcwd get_robust_list timer_create setitimer alarm flock
"""
_ADVICE = frozenset(_ADVICE_TEXT.split())


def is_about(text: str, seen: Seen, name: str) -> bool:
    """Return whether words may be about a denied call: its name, path, topic, or a refusal."""
    by_path = any(names_path(text, path) or names_path_below(text, path) for path in seen.paths)
    return by_path or names_call(text, name) or has_topic(text, name) or bool(_REFUSED.search(text))


def has_topic(text: str, name: str) -> bool:
    """Return whether words are about the kind of thing that a call is about."""
    topics = [words for part, words in _TOPICS.items() if part in name]
    words = {word for some in topics for word in some.split()}
    return any(re.search(rf"(?<![a-z]){word}", text.lower()) for word in words)


def is_exception(text: str) -> bool:
    """Return whether words are those of an exception, and of none of the operating system's."""
    return bool(_EXCEPTION.search(text))


def is_bug(text: str) -> bool:
    """Return whether words are those of an exception over a mistake in the program or its input.

    Not of an assertion, which may be about the result of any call.
    """
    return is_exception(text) and is_mistake(text) and not is_assertion(text)


def is_assertion(text: str) -> bool:
    """Return whether words are those of an assertion, which may be about any call's result."""
    return bool(_ASSERTION.search(text))


def is_mistake(text: str) -> bool:
    """Return whether words are about the program, its input, configuration or command line."""
    return bool(_MISTAKE.search(text))


def is_frame(text: str) -> bool:
    """Return whether a line is a part of a stack's listing."""
    return bool(_FRAME.match(text))


def is_network_error(text: str, name: str) -> bool:
    """Return whether words are about the network, and a call has nothing to do with that."""
    return bool(_NETWORK.search(text)) and not _NETWORKING.search(name)


def quotes_source(text: str, argv: tuple[str, ...]) -> bool:
    """Return whether a line repeats the program's own text, given in its arguments.

    Interpreters quote the whole line that failed: the calls and files in it are no report.
    """
    lines = (line.strip() for word in argv[1:] for line in word.splitlines())
    quoted = any(len(word) > _LONG and word in text for word in argv[1:])
    return quoted or (len(text) > _SHORT and text in lines)


def is_advice(name: str) -> bool:
    """Return whether a call only asks or advises."""
    return name in _ADVICE

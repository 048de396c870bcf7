"""Find denied calls that their caller did without: it made an older call instead, or only asked.

glibc from 2.34 on starts threads and processes by clone3 and, on ENOSYS, by clone; node asks for
io_uring and uses threads instead. Such a denial is no reason for anything that happens later.
"""

from __future__ import annotations

from seclatch.diagnose.denials.error_lines import find_errnos
from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.model.action import ENOSYS
from seclatch.model.syscall import load_syscalls
from seclatch.recording.backends.bpf.detail_events import DetailFlag, Seen
from seclatch.recording.trace.trace import TracedProcess

# What C libraries and programs use where a newer call is answered with ENOSYS, and only then.
_ON_ENOSYS = {
    "clone3": "clone fork vfork",
    "openat2": "openat open",
    "faccessat2": "faccessat access newfstatat stat",
    "fchmodat2": "fchmodat chmod fchmod",
    "statx": "newfstatat stat lstat fstat",
    "epoll_pwait2": "epoll_pwait epoll_wait",
    "futex_waitv": "futex",
    "preadv2": "preadv pread64",
    "pwritev2": "pwritev pwrite64",
    "renameat2": "renameat rename",
    "fsopen": "mount",
    "fspick": "mount",
    "fsconfig": "mount",
    "fsmount": "mount",
    "move_mount": "mount",
    "open_tree": "mount",
    "mount_setattr": "mount",
    "execveat": "execve",
    "getrandom": "openat open read",
    "memfd_create": "openat open",
    "pidfd_open": "kill wait4 waitid",
    "pidfd_send_signal": "kill tgkill",
    "statmount": "openat open",
    "listmount": "openat open",
}
# The same, whatever the error is.
_ON_ANY_ERROR = {
    "close_range": "close openat",
    "copy_file_range": "sendfile read pread64",
    "io_uring_setup": "epoll_pwait epoll_wait poll ppoll futex",
    "name_to_handle_at": "newfstatat statx fstat openat",
    "sendfile": "read pread64",
    "splice": "read pread64",
}
# Features that a program asks for and does without: nothing is made instead.
_OPTIONAL_TEXT = """
rseq set_robust_list membarrier get_mempolicy set_mempolicy mbind landlock_create_ruleset
map_shadow_stack mseal process_madvise madvise io_uring_register
"""
_OPTIONAL = frozenset(_OPTIONAL_TEXT.split())


def find_substitute(evidence: RunEvidence, seen: Seen, process: TracedProcess) -> str:
    """Return what the caller did instead of a denied call: a call's name, `nothing`, or ""."""
    if seen.mode & (DetailFlag.KILLED | DetailFlag.SIGSYS) or not seen.errno:
        return ""
    name = evidence.find_syscall(seen).name
    if _is_reported(evidence, seen, process):
        return ""
    if name in _OPTIONAL:
        return "nothing"
    instead = _ON_ANY_ERROR.get(name, "")
    if not instead and seen.errno == ENOSYS:
        instead = _ON_ENOSYS.get(name, "")
    later = _list_later_segments(seen, process)
    return next((call for call in instead.split() if _has_succeeded(evidence, call, later)), "")


def _is_reported(evidence: RunEvidence, seen: Seen, process: TracedProcess) -> bool:
    """Return whether the process reported the error of a denied call later, and of no other."""
    for other in evidence.refusals:
        same = other.segment in process.segments and other.errno == seen.errno
        if same and other.number != seen.number:
            return False
    return any(
        seen.errno in find_errnos(line.text)
        for line in evidence.messages
        if line.time > seen.time and line.segment in process.segments
    )


def _list_later_segments(seen: Seen, process: TracedProcess) -> list[int]:
    """Return the segment of a call and those after it that run the same process."""
    if seen.segment not in process.segments:
        return [seen.segment]
    return process.segments[process.segments.index(seen.segment) :]


def _has_succeeded(evidence: RunEvidence, name: str, segments: list[int]) -> bool:
    """Return whether a call was made there more often than it failed."""
    number = load_syscalls(evidence.native).numbers.get(name)
    if number is None:
        return False
    made = sum(evidence.trace.segments[one].calls.get((False, number), 0) for one in segments)
    failed = sum(
        failure.number == number and not failure.compat and failure.segment in segments
        for failure in evidence.failures
    )
    return made > failed

"""Cause: a capability, an owner or a mode is missing: the kernel gave EPERM or EACCES."""

from __future__ import annotations

import re
from errno import EACCES, EPERM

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.causes.symptom import FailureSymptom, find_symptom
from seclatch.model.capability import name_capabilities

# capabilities(7)
_CAPABILITIES = {
    "CAP_SYS_ADMIN": "mount umount2 pivot_root setns unshare sethostname setdomainname swapon "
    "swapoff quotactl fsopen fsconfig fsmount move_mount open_tree mount_setattr bpf "
    "perf_event_open fanotify_init",
    "CAP_CHOWN": "chown fchown lchown fchownat",
    "CAP_FOWNER": "chmod fchmod fchmodat utimensat",
    "CAP_SETUID": "setuid setreuid setresuid setfsuid",
    "CAP_SETGID": "setgid setregid setresgid setgroups setfsgid",
    "CAP_MKNOD": "mknod mknodat",
    "CAP_NET_BIND_SERVICE": "bind",
    "CAP_NET_RAW": "socket",
    "CAP_NET_ADMIN": "setsockopt ioctl sendto sendmsg",
    "CAP_SYS_TIME": "settimeofday clock_settime adjtimex clock_adjtime stime",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_PTRACE": "ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd",
    "CAP_SYS_NICE": "setpriority sched_setscheduler sched_setattr nice",
    "CAP_SYS_RESOURCE": "setrlimit prlimit64",
    "CAP_SYS_MODULE": "init_module finit_module delete_module",
    "CAP_SYS_BOOT": "reboot kexec_load",
    "CAP_KILL": "kill tgkill tkill",
    "CAP_SETPCAP": "capset prctl",
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_SYSLOG": "syslog",
    "CAP_IPC_LOCK": "mlock mlockall mlock2",
}
_EFFECTIVE = 2
# Files of /proc that ptrace_may_access() guards (fs/proc/base.c).
_OF_PROCESS = re.compile(
    r"/proc/\d+/(task/\d+/)?(auxv|cwd|environ|exe|fd|fdinfo|io|map_files|maps|mem|ns|pagemap|"
    r"personality|root|smaps|stack|syscall)(/|$)"
)
_BY_CALL = {call: name for name, calls in _CAPABILITIES.items() for call in calls.split()}


def find_missing_capability(run: DiagnosedRun) -> FoundCause | None:
    """Find a call that was issued, and that the kernel itself refused."""
    symptom = find_symptom(run)
    if symptom is None or symptom.errno not in (EPERM, EACCES):
        return None
    if not symptom.sure:
        return _judge_message(run, symptom)
    capability = _BY_CALL.get(symptom.call, "")
    if capability and (symptom.errno == EPERM or symptom.call == "bind"):
        return _make_cause(
            "missing-capability", f"{capability} is missing for {symptom.call}", symptom
        )
    if _takes_ptrace(run, symptom):
        return _make_cause(
            "missing-capability", f"CAP_SYS_PTRACE is missing for {symptom.call}", symptom
        )
    if capability == "CAP_SYS_ADMIN":  # without it the kernel gives EPERM
        words = (
            f"a security module (AppArmor, SELinux) or a directory's mode forbids {symptom.call}"
        )
        return _make_cause("lsm", words, symptom)
    return _judge_errno(symptom, "")


def _takes_ptrace(run: DiagnosedRun, symptom: FailureSymptom) -> bool:
    """Return whether it is about another user's process, which file modes do not forbid.

    ptrace(2), "Ptrace access mode checking": such files of /proc are for the process's own user and
    group, or for CAP_SYS_PTRACE.
    """
    if symptom.seen is None or not _OF_PROCESS.match(symptom.path):
        return False
    held = run.evidence.trace.segments[symptom.seen.segment].facts.capabilities
    names = set(name_capabilities(held[_EFFECTIVE])) if held else set()
    reads_all = bool(names & {"CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"})
    return reads_all and "CAP_SYS_PTRACE" not in names


def _judge_message(run: DiagnosedRun, symptom: FailureSymptom) -> FoundCause | None:
    """Judge by a message alone, which does not name the call that failed.

    That call may not have been recorded at all.
    """
    if run.chain_denials:
        return None
    line = {process.id for process in run.chain}
    seen = run.failing_calls(
        lambda failure: (
            failure.errno in (EPERM, EACCES)
            and (not line or run.evidence.process_of(failure.segment).id in line)
        )
    )
    if seen:
        return _judge_errno(symptom, "probably ")
    words = "no call that failed with this error was recorded, and none was denied"
    return FoundCause(
        None,
        "unknown",
        f"{symptom.program} reports an error that no recorded call gave: {symptom.text}",
        symptom.stage.value,
        [f"{words}: it may come from elsewhere"],
    )


def _judge_errno(symptom: FailureSymptom, how: str) -> FoundCause:
    if symptom.errno == EACCES:
        return _make_cause("permissions", f"{how}a file's owner or mode forbids it", symptom)
    return _make_cause("missing-capability", f"{how}a privilege is missing", symptom)


def _make_cause(cause: str, words: str, symptom: FailureSymptom) -> FoundCause:
    shown = symptom.text or symptom.path or symptom.call
    return FoundCause(False, cause, f"{words}: {shown}", symptom.stage.value, symptom.evidence)

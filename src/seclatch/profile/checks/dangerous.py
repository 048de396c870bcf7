"""Calls that open a way out, or have been one."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.model.finding import Finding, Severity
from seclatch.profile.checks.checked_profile import Subject

_LEAVE_OUT = "leave it out unless the program needs it"
_TRACE = "reads and writes other processes of the container"

# call → why it matters
CALLS = {
    "ptrace": f"{_TRACE}; before Linux 4.8 it also got around seccomp itself",
    "process_vm_writev": "writes other processes' memory",
    "process_vm_readv": "reads other processes' memory",
    "pidfd_getfd": "takes file descriptors out of other processes",
    "process_madvise": "acts on other processes' memory",
    "kcmp": "tells kernel pointers' order across processes",
    "seccomp": "loads filters, and answers other processes' calls through a listener",
    "io_uring_setup": "its requests are made by the kernel and no filter sees them",
    "io_uring_enter": "its requests are made by the kernel and no filter sees them",
    "io_uring_register": "its requests are made by the kernel and no filter sees them",
    "bpf": "large kernel surface, many privilege escalations",
    "perf_event_open": "large kernel surface, many privilege escalations",
    "userfaultfd": "lets a program pause the kernel in the midst of a copy: a staple of exploits",
    "keyctl": "keyrings are not namespaced",
    "add_key": "keyrings are not namespaced",
    "request_key": "keyrings are not namespaced, and the kernel may start a helper on the host",
    "mount": "changes the container's file tree",
    "umount2": "uncovers what is masked under mounts",
    "pivot_root": "changes the container's root",
    "open_tree": "changes the container's file tree",
    "move_mount": "changes the container's file tree",
    "fsopen": "mounts; several overflows of its parsers were escapes",
    "fsconfig": "mounts; several overflows of its parsers were escapes",
    "fsmount": "changes the container's file tree",
    "mount_setattr": "changes the container's file tree",
    "open_by_handle_at": "opens files by number, past the container's root (needs "
    "CAP_DAC_READ_SEARCH)",
    "name_to_handle_at": "gives the numbers that open_by_handle_at takes",
    "init_module": "loads code into the kernel",
    "finit_module": "loads code into the kernel",
    "delete_module": "unloads kernel code",
    "kexec_load": "replaces the running kernel",
    "kexec_file_load": "replaces the running kernel",
    "iopl": "gives the program the machine's ports",
    "ioperm": "gives the program the machine's ports",
    "modify_ldt": "rarely used x86 surface with a history of escalations",
    "vm86": "rarely used x86 surface with a history of escalations",
    "vm86old": "rarely used x86 surface with a history of escalations",
    "uselib": "obsolete loader, with a history of escalations",
    "personality": "can switch off address randomisation",
    "reboot": "stops the host where it is not in a pid namespace of its own",
    "swapon": "changes the host's memory",
    "swapoff": "changes the host's memory",
    "acct": "writes a log of every process, the host's included",
    "settimeofday": "sets the host's clock",
    "clock_settime": "sets the host's clock",
    "clock_settime64": "sets the host's clock",
    "quotactl": "acts on the host's file systems",
    "nfsservctl": "obsolete kernel surface",
    "lookup_dcookie": "obsolete kernel surface",
    "fanotify_init": "watches whole mounts",
    "syslog": "reads the host's kernel log",
    "memfd_secret": "memory that not even the host's root can inspect",
    "move_pages": "acts on other processes' memory",
    "migrate_pages": "acts on other processes' memory",
}


def check(subject: Subject) -> Iterator[Finding]:
    """Find dangerous calls that are allowed for some or all arguments."""
    for name, why in CALLS.items():
        if not subject.meaning.may_execute(name):
            continue
        whole = subject.meaning.always_executes(name)
        yield Finding(
            "dangerous-syscall",
            Severity.WARNING if whole else Severity.NOTE,
            f"{name} is allowed{'' if whole else ' for some arguments'}: {why}",
            _LEAVE_OUT,
            subject.place_of(name),
        )

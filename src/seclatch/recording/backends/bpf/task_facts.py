"""The part of the kernel programs that reads a task's state: r8 = the task, r9 = the event."""

from __future__ import annotations

from seclatch.recording.backends.bpf.abi import Event
from seclatch.recording.backends.bpf.assembler import R1, R2, R8, R9, R10
from seclatch.recording.backends.bpf.assembler import Register as Reg
from seclatch.recording.backends.bpf.builder_parts import Primitives, Stack

# PT_SUSPEND_SECCOMP: PTRACE_O_SUSPEND_SECCOMP << PT_OPT_FLAG_SHIFT (<linux/ptrace.h>).
_SUSPEND_BIT = 21 + 3
_SIZEOF_UPID = 16

# Where in the event, and by which pointer of nsproxy to which structure.
_NAMESPACES = (
    (Event.MOUNTS, "nsproxy.mnt_ns", "mnt_namespace.ns.inum"),
    (Event.NET, "nsproxy.net_ns", "net.ns.inum"),
    (Event.IPC, "nsproxy.ipc_ns", "ipc_namespace.ns.inum"),
    (Event.UTS, "nsproxy.uts_ns", "uts_namespace.ns.inum"),
    (Event.CGROUP, "nsproxy.cgroup_ns", "cgroup_namespace.ns.inum"),
)
_IDS = ((Event.UID, "uid"), (Event.GID, "gid"), (Event.EUID, "euid"), (Event.EGID, "egid"))
_CAPABILITIES = ("inheritable", "permitted", "effective", "bset", "ambient")


def write_facts(p: Primitives) -> None:
    """What a stage is told by, and what a reader may want to know of the process."""
    at = p.offsets
    for member, place in (
        ("task_struct.seccomp.filter_count", Event.FILTERS),
        ("task_struct.seccomp.mode", Event.SECCOMP),
        ("task_struct.ptrace", Event.SUSPENDED),
        ("task_struct.atomic_flags", Event.NO_NEW_PRIVS),
    ):
        p.read_kernel(4, R8, at[member], place, R9)
    p.load(4, R1, R9, Event.SUSPENDED)
    is_suspended(p, R1)
    p.store(4, R9, Event.SUSPENDED, R1)
    p.load(4, R1, R9, Event.NO_NEW_PRIVS)
    p.compute("and", R1, 1)  # PFA_NO_NEW_PRIVS is bit 0
    p.store(4, R9, Event.NO_NEW_PRIVS, R1)
    p.read_kernel(16, R8, at["task_struct.comm"], Event.COMM, R9)
    _follow(p, R8, "task_struct.fs")
    p.read_behind(8, at["fs_struct.root.dentry"], Event.ROOT)
    _write_credentials(p)
    _write_namespaces(p)
    _write_local_pid(p)


def _write_credentials(p: Primitives) -> None:
    at = p.offsets
    _follow(p, R8, "task_struct.cred")
    for place, member in _IDS:
        p.read_behind(4, at[f"cred.{member}"], place)
    for index, name in enumerate(_CAPABILITIES):
        p.read_behind(8, at[f"cred.cap_{name}"], Event.CAPABILITIES + 8 * index)
    _follow_behind(p, "cred.user_ns")
    p.read_behind(4, at["user_namespace.ns.inum"], Event.USERS)


def _write_namespaces(p: Primitives) -> None:
    for place, pointer, number in _NAMESPACES:
        _follow(p, R8, "task_struct.nsproxy")
        _follow_behind(p, pointer)
        p.read_behind(4, p.offsets[number], place)


def _write_local_pid(p: Primitives) -> None:
    """The innermost pid namespace and the task's number in it."""
    find_innermost(p)
    p.read_behind(4, p.offsets["upid.nr"], Event.LOCAL_PID)
    _follow_behind(p, "upid.ns")
    p.read_behind(4, p.offsets["pid_namespace.ns.inum"], Event.PIDS)


def find_innermost(p: Primitives) -> None:
    """Stack.POINTER = where the pid of r8 in its own namespace is: pid->numbers[pid->level]."""
    at = p.offsets
    _follow(p, R8, "task_struct.thread_pid")
    p.read_behind(4, at["pid.level"], Stack.OTHER, R10)
    p.load(4, R1, R10, Stack.OTHER)
    p.compute("and", R1, 31)  # MAX_PID_NS_LEVEL is 32
    p.compute("lsh", R1, _SIZEOF_UPID.bit_length() - 1)
    p.load(8, R2, R10, Stack.POINTER)
    p.compute("add", R2, R1)
    p.compute("add", R2, at["pid.numbers"])
    p.store(8, R10, Stack.POINTER, R2)


def _follow(p: Primitives, base: Reg, member: str) -> None:
    p.read_kernel(8, base, p.offsets[member], Stack.POINTER)


def _follow_behind(p: Primitives, member: str) -> None:
    p.read_behind(8, p.offsets[member], Stack.POINTER, R10)


def is_suspended(p: Primitives, register: Reg) -> None:
    """task->ptrace to 0 or 1: does a tracer hold seccomp off?"""
    p.compute("rsh", register, _SUSPEND_BIT)
    p.compute("and", register, 1)

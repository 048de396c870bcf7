"""Names of argument values that filters often test, where they are equal on all ABIs here.

From the kernel's headers: <linux/fcntl.h>, <linux/sched.h>, <linux/socket.h>,
<linux/personality.h>, <asm-generic/mman-common.h>, <linux/netlink.h>, <linux/seccomp.h>.
"""

from __future__ import annotations

_CLONE = {
    "CLONE_NEWTIME": 0x00000080,
    "CLONE_VM": 0x00000100,
    "CLONE_FS": 0x00000200,
    "CLONE_FILES": 0x00000400,
    "CLONE_SIGHAND": 0x00000800,
    "CLONE_VFORK": 0x00004000,
    "CLONE_THREAD": 0x00010000,
    "CLONE_NEWNS": 0x00020000,
    "CLONE_NEWCGROUP": 0x02000000,
    "CLONE_NEWUTS": 0x04000000,
    "CLONE_NEWIPC": 0x08000000,
    "CLONE_NEWUSER": 0x10000000,
    "CLONE_NEWPID": 0x20000000,
    "CLONE_NEWNET": 0x40000000,
}

_SOCKET = {
    "AF_UNSPEC": 0,
    "AF_UNIX": 1,
    "AF_INET": 2,
    "AF_X25": 9,
    "AF_INET6": 10,
    "AF_NETLINK": 16,
    "AF_PACKET": 17,
    "AF_ALG": 38,
    "AF_VSOCK": 40,
    "AF_XDP": 44,
    "NETLINK_ROUTE": 0,
    "NETLINK_AUDIT": 9,
    "NETLINK_NETFILTER": 12,
}

_PERSONALITY = {
    "PER_LINUX": 0x0,
    "PER_LINUX32": 0x8,
    "UNAME26": 0x20000,
    "ADDR_NO_RANDOMIZE": 0x40000,
    "READ_IMPLIES_EXEC": 0x400000,
}

CONSTANTS = {
    "NULL": 0,
    "AT_FDCWD": -100,
    "PROT_NONE": 0,
    "PROT_READ": 1,
    "PROT_WRITE": 2,
    "PROT_EXEC": 4,
    "SECCOMP_SET_MODE_STRICT": 0,
    "SECCOMP_SET_MODE_FILTER": 1,
    **_CLONE,
    **_SOCKET,
    **_PERSONALITY,
}

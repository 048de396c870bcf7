"""Load the filters of one systemd setting into this process, by systemd's own code; then wait.

python3 systemd_filters.py LIBRARY SETTING: SETTING is SystemCallFilter=@GROUP, =~@GROUP, or one of
the Protect…/Restrict… below. What PID 1 loads for a unit comes from these functions too
(src/core/exec-invoke.c calls src/shared/seccomp-util.c); the library is private to systemd.
"""

import ctypes
import sys

ALLOW, EPERM = 0x7FFF0000, 0x00050001

library = ctypes.CDLL(sys.argv[1])
library.syscall_filter_set_find.restype = ctypes.c_void_p


def groups(default: int, name: str, action: int) -> int:
    found = ctypes.c_void_p(library.syscall_filter_set_find(name.encode()))
    assert found.value, name
    load = library.seccomp_load_syscall_filter_set
    return load(ctypes.c_uint32(default), found, ctypes.c_uint32(action), ctypes.c_bool(False))


setting, _, value = sys.argv[2].partition("=")
if setting == "SystemCallFilter":
    if value.startswith("~"):
        status = groups(ALLOW, value[1:], EPERM)
    else:
        status = groups(EPERM, value, ALLOW)
elif setting == "RestrictNamespaces":
    status = library.seccomp_restrict_namespaces(ctypes.c_ulong(int(value, 0)))
elif setting == "LockPersonality":
    status = library.seccomp_lock_personality(ctypes.c_ulong(0))
else:
    function = {
        "RestrictSUIDSGID": "seccomp_restrict_suid_sgid",
        "ProtectKernelTunables": "seccomp_protect_sysctl",
        "ProtectHostname": "seccomp_protect_hostname",
        "MemoryDenyWriteExecute": "seccomp_memory_deny_write_execute",
    }[setting]
    status = getattr(library, function)()
print("loaded" if status >= 0 else f"failed: {status}", flush=True)
sys.stdin.read()

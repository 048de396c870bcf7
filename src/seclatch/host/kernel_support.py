"""Check the kernel: seccomp filters, suspending them for a tracee, security modules.

See docs/decisions/0041 (hold and gate).
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.host.host_check import CheckState, HostCheck
from seclatch.host.host_programs import find_program
from seclatch.runtime.find_latch import find_latch

_ACTIONS = Path("/proc/sys/kernel/seccomp/actions_avail")
_LOG = Path("/dev/log")
_MODULES = Path("/sys/kernel/security/lsm")

# The latch exits with it when nothing was started (native/main.c).
_REFUSED = 125


def check_seccomp() -> HostCheck:
    """Report the filter actions of the kernel (seccomp(2), actions_avail, Linux 4.14)."""
    try:
        actions = _ACTIONS.read_text().split()
    except OSError as error:
        return HostCheck(
            "seccomp filters",
            CheckState.FAIL,
            f"{_ACTIONS}: {error.strerror}",
            "use a kernel with CONFIG_SECCOMP_FILTER=y (Linux 4.14 or later), with /proc mounted",
        )
    return HostCheck("seccomp filters", CheckState.OK, " ".join(actions))


def check_latch_methods() -> list[HostCheck]:
    """Check by which methods the latch can keep a profile off the runtime, and which it uses.

    If seccomp cannot be suspended but the gate works, that is no failure.
    """
    suspend = try_latch("suspending seccomp", "suspend", "by PTRACE_O_SUSPEND_SECCOMP")
    gate = try_latch(
        "latching without privileges", "gate", "a filter held until the exec, or gated"
    )
    method = "latch method"
    if suspend.state is CheckState.OK:
        return [suspend, gate, HostCheck(method, CheckState.OK, "suspend"), check_log()]
    if gate.state is not CheckState.OK:
        return [suspend, gate]
    taken = "hold with no_new_privs, else gate (exact with CAP_SYS_ADMIN): docs/rootless.md"
    suspend = replace(suspend, state=CheckState.NOTE)
    return [suspend, gate, HostCheck(method, CheckState.OK, taken), check_log()]


def check_log() -> HostCheck:
    """Check whether the system has a log in which the latch reports each start's method."""
    name = "start log"
    if _LOG.is_socket():
        return HostCheck(name, CheckState.OK, f"the method of each start is logged to {_LOG}")
    return HostCheck(
        name,
        CheckState.NOTE,
        f"{_LOG} not found; the method used for each start is not logged",
        "run journald or a syslog daemon, or set SECLATCH_LOG=FILE in the engine's environment",
    )


def try_latch(name: str, mode: str, works: str) -> HostCheck:
    """Let the latch attach to a runtime that only exits; report its own message if it cannot."""
    harmless = find_program("true")
    try:
        latch = find_latch("runc")
    except SeclatchError as error:
        return HostCheck(name, CheckState.FAIL, str(error), error.remedy)
    if harmless is None:
        return HostCheck(name, CheckState.FAIL, "no `true` on this host", "install coreutils")
    with tempfile.TemporaryDirectory(prefix="seclatch-") as folder:
        front = Path(folder) / "front"
        front.symlink_to(latch)
        front.with_name("front.runtime").symlink_to(harmless.resolve())
        return _judge(
            HostCheck(name, CheckState.OK, f"the latch can attach ({works})"), front, mode
        )


def _judge(fine: HostCheck, front: Path, mode: str) -> HostCheck:
    try:
        done = subprocess.run(
            [front, "exec"],  # the one command that starts something and reads no bundle
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            check=False,
            env={"SECLATCH_MODE": mode},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return replace(
            fine,
            state=CheckState.FAIL,
            found=f"calling the latch: {error}",
            remedy="install seclatch again",
        )
    if done.returncode == 0:
        return fine
    said = done.stderr.strip().removeprefix("seclatch: nothing was started: ")
    reason, _, remedy = said.partition(". What to do: ")
    if done.returncode != _REFUSED or not remedy:
        reason = f"the latch ended with status {done.returncode}: {done.stderr.strip()}"
    return HostCheck(fine.name, CheckState.FAIL, reason, remedy)


def check_modules() -> HostCheck:
    """Report the security modules: some can forbid ptrace, which the latch needs."""
    try:
        modules = _MODULES.read_text().strip()
    except OSError:
        return HostCheck(
            "security modules", CheckState.NOTE, "not known (securityfs is not mounted)"
        )
    return HostCheck("security modules", CheckState.OK, modules or "none")

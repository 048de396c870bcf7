"""What the kernel allows: seccomp filters, and suspending them for a tracee."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.host.check import Check, State
from seclatch.host.command import find_program
from seclatch.runtime.latch import find_latch

_ACTIONS = Path("/proc/sys/kernel/seccomp/actions_avail")
_MODULES = Path("/sys/kernel/security/lsm")

# The latch exits with it when nothing was started (native/main.c).
_REFUSED = 125


def check_seccomp() -> Check:
    """Look which filter actions the kernel has (seccomp(2), actions_avail, Linux 4.14)."""
    try:
        actions = _ACTIONS.read_text().split()
    except OSError as error:
        return Check(
            "seccomp filters",
            State.FAIL,
            f"{_ACTIONS}: {error.strerror}",
            "use a kernel with CONFIG_SECCOMP_FILTER=y (Linux 4.14 or later), with /proc mounted",
        )
    return Check("seccomp filters", State.OK, " ".join(actions))


def check_suspend() -> Check:
    """Let the latch attach to a runtime that only ends: it says itself why it cannot."""
    name = "suspending seccomp"
    harmless = find_program("true")
    try:
        latch = find_latch("runc")
    except SeclatchError as error:
        return Check(name, State.FAIL, str(error), error.remedy)
    if harmless is None:
        return Check(name, State.FAIL, "no `true` on this host", "install coreutils")
    with tempfile.TemporaryDirectory(prefix="seclatch-") as folder:
        front = Path(folder) / "front"
        front.symlink_to(latch)
        front.with_name("front.runtime").symlink_to(harmless.resolve())
        return _judge(name, front)


def _judge(name: str, front: Path) -> Check:
    try:
        done = subprocess.run(
            [front, "exec"],  # the one call that starts something and looks into no bundle
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            check=False,
            env={"SECLATCH_MODE": "suspend"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(name, State.FAIL, f"calling the latch: {error}", "install seclatch again")
    if done.returncode == 0:
        return Check(name, State.OK, "the latch can attach (PTRACE_O_SUSPEND_SECCOMP)")
    said = done.stderr.strip().removeprefix("seclatch: nothing was started: ")
    reason, _, remedy = said.partition(". What to do: ")
    if done.returncode != _REFUSED or not remedy:
        reason = f"the latch ended with status {done.returncode}: {done.stderr.strip()}"
    return Check(name, State.FAIL, reason, remedy)


def check_modules() -> Check:
    """Name the security modules: some can forbid ptrace, and the latch needs it."""
    try:
        modules = _MODULES.read_text().strip()
    except OSError:
        return Check("security modules", State.NOTE, "not known (securityfs is not mounted)")
    return Check("security modules", State.OK, modules or "none")

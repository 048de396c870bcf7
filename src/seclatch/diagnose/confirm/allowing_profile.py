"""Make the profile of a second run: that of the first one, with denied calls allowed.

It is the profile that the container had, as its bundle has it, and is tried before it is used: its
filter must let the denied calls pass, with the arguments that they had.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from seclatch.diagnose.confirm.client_command.second_run import CannotRunAgainError
from seclatch.diagnose.confirm.closed_profile import KEYRING
from seclatch.diagnose.denials.list_denials import DenialCase
from seclatch.diagnose.denials.matching_rule import ProfileEvaluator, make_evaluator
from seclatch.diagnose.remedies.required_capabilities import find_taken
from seclatch.errors import SeclatchError
from seclatch.profile.edit.allow_calls import edit_profile_text
from seclatch.profile.export import docker, oci
from seclatch.profile.parse.load_profile import parse_profile

# Calls that may change the host and not the container, for a caller with the capability: mounts
# propagate from a shared volume, the name is the host's with its UTS namespace.
_OF_HOST_TEXT = """
    acct adjtimex bpf clock_adjtime clock_adjtime64 clock_settime clock_settime64 delete_module
    finit_module init_module ioperm iopl kexec_file_load kexec_load mount mount_setattr move_mount
    quotactl quotactl_fd reboot setdomainname sethostname settimeofday stime swapoff swapon syslog
    umount umount2
"""
_OF_HOST = frozenset(_OF_HOST_TEXT.split())
# AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_ALG: of the network namespace, or of none.
# AF_VSOCK, for one, reaches the hypervisor from every namespace (vsock(7)).
_OWN_FAMILIES = frozenset({1, 2, 10, 16, 17, 38})


def find_obstacle(cases: Sequence[DenialCase], *, isolated: bool = False) -> str:
    """Return why the denied calls cannot be allowed for a second run; "" if they can.

    `isolated`: a run that was not asked for, which must leave nothing and reach nothing.
    """
    for case in cases:
        name, by = case.denial.syscall, case.denial.rule.by
        if by == "unknown":
            return f"{name} was denied by {case.denial.rule.text}, which no option changes"
        if by == "architecture":
            return f"{name} is a call of {case.denial.arch}, which the profile does not list"
        if name in _OF_HOST and not find_taken(name, case.seen.args, case.held):
            return f"{name} would change this host, and not only the container"
        if isolated and name in KEYRING:
            return f"{name} may leave a key in a keyring of this host"
        if isolated and name == "socket" and case.seen.args[0] not in _OWN_FAMILIES:
            return "the socket that was denied may reach further than its container's network"
    return ""


def allow_denied_calls(
    evaluator: ProfileEvaluator, cases: Sequence[DenialCase], names: Collection[str]
) -> dict[str, Any]:
    """Return the profile, in the OCI specification's form, with some of the denied calls allowed.

    Raises CannotRunAgainError.
    """
    try:
        text = docker.write(evaluator.profile).text
        profile = parse_profile(edit_profile_text(text, "profile", sorted(names)).text, "profile")
    except (SeclatchError, ValueError, LookupError) as error:
        raise CannotRunAgainError(f"its profile cannot be changed: {error}") from error
    after = make_evaluator(profile, evaluator.runtime, evaluator.native)
    denied = [case for case in cases if case.denial.syscall in names]
    if after is None or any(after.denies(case.syscall, case.seen.args) for case in denied):
        raise CannotRunAgainError("no change of its profile was found that allows the denied calls")
    return oci.make_document(profile)

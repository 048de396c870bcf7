"""A systemd drop-in: `SystemCallFilter=`, systemd.exec(5). The profile must be resolved.

systemd knows names, not arguments, and two shapes: allow these and refuse the rest, or the
reverse. What it cannot say is refused rather than allowed, with a warning.
"""

from __future__ import annotations

from seclatch.errors import SeclatchError
from seclatch.model import errno
from seclatch.model.action import Action, ActionKind, Operator
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Arg, Profile, Rule
from seclatch.profile.export import oci
from seclatch.profile.export.written_profile import WrittenProfile

# systemd's seccomp_arch_to_string, where it differs from libseccomp's short names.
_SPELLED = {
    Arch.X86_64: "x86-64",
    Arch.AARCH64: "arm64",
    Arch.MIPSEL: "mips-le",
    Arch.MIPSEL64: "mips64-le",
    Arch.MIPS64N32: "mips64-n32",
    Arch.MIPSEL64N32: "mips64-le-n32",
    Arch.PPC64LE: "ppc64-le",
}
_UNKNOWN = (Arch.M68K, Arch.SH, Arch.SHEB)
# clone without CLONE_NEW* of <linux/sched.h>, as the engines' defaults compare it: systemd has a
# setting of its own for that.
_NO_NAMESPACES = (Arg(0, Operator.MASKED_EQ, 0x7E020000, 0),)
_REFUSES = (ActionKind.ERRNO, ActionKind.KILL_PROCESS)
_IMPLIED = (
    "systemd adds @default to every allowlist (execve, exit, rt_sigreturn, getting the time, …)"
)


def write(profile: Profile) -> WrittenProfile:
    """Write the drop-in. Raises SeclatchError for a default action that systemd does not have."""
    default = profile.default
    if default.kind not in (
        ActionKind.ALLOW,
        ActionKind.ERRNO,
        ActionKind.KILL_PROCESS,
        ActionKind.KILL_THREAD,
    ):
        raise SeclatchError(
            f"writing a systemd drop-in: no SystemCallFilter= has the default {default.kind.scmp}",
            remedy="give the profile the default ERRNO, KILL_PROCESS or ALLOW",
            status=2,
        )
    warnings = _general_warnings(profile)
    entries = _Entries(allowing=default.kind is not ActionKind.ALLOW)
    for index, rule in enumerate(profile.rules):
        entries.take(index, rule, default)
    lines = ["# Written by seclatch.", "[Service]"]
    known = [arch for arch in profile.architectures if arch not in _UNKNOWN]
    native = ["native", *(_SPELLED.get(arch, arch.title) for arch in known)]
    lines.append(f"SystemCallArchitectures={' '.join(dict.fromkeys(native))}")
    lines.append(f"SystemCallErrorNumber={_refusal(default)}" if entries.allowing else "")
    lines += entries.lines()
    text = "\n".join(line for line in lines if line) + "\n"
    return WrittenProfile(text, (*warnings, *entries.warnings))


def _general_warnings(profile: Profile) -> tuple[str, ...]:
    found = []
    if profile.default.kind is ActionKind.KILL_THREAD:
        found.append("default action: systemd kills the process, not the thread")
    if profile.default.kind is not ActionKind.ALLOW:
        found.append(_IMPLIED)
    if profile.flags is not None:
        found.append(f"flags ({' '.join(profile.flags) or 'none'}): systemd chooses its own")
    if profile.listener_path:
        found.append("listenerPath: systemd has no listener")
    if profile.listener_metadata:
        found.append("listenerMetadata: systemd has no listener")
    found += [
        f"{arch.scmp}: systemd does not know this architecture, and calls on it are refused"
        for arch in profile.architectures
        if arch in _UNKNOWN
    ]
    return (*found, *oci.list_unsaid(profile))


def _refusal(action: Action) -> str:
    return errno.name_errno(action.data) if action.kind is ActionKind.ERRNO else "kill"


class _Entries:
    """The words of SystemCallFilter=: name → how it is refused, or "" if it is allowed.

    The first rule for a name wins, as in libseccomp.
    """

    def __init__(self, *, allowing: bool) -> None:
        self.allowing = allowing
        self.words: dict[str, str] = {}
        self.warnings: list[str] = []
        self.restricts_namespaces = False

    def take(self, index: int, rule: Rule, default: Action) -> None:
        """Put a rule's names on the list, or warn."""
        if rule.effect == default:
            return
        if rule.names == ("clone",) and rule.args == _NO_NAMESPACES and rule.effect.kind.executes:
            self.restricts_namespaces = True
            self.words.setdefault("clone", "")
            return
        where = f"rule {index} ({', '.join(rule.names[:3])}{', …' if rule.names[3:] else ''})"
        if rule.args and rule.effect.kind.executes and default.kind.executes:
            self.warnings.append(f"{where}: allowed whatever the arguments, and not logged")
        elif rule.args:
            self.warnings.append(
                f"{where}: systemd compares no arguments, refused whatever they are"
            )
        if not rule.effect.kind.executes:
            self._refuse(where, rule)
        elif not rule.args:
            self._allow(where, rule)

    def _allow(self, where: str, rule: Rule) -> None:
        if rule.effect.kind is ActionKind.LOG:
            self.warnings.append(f"{where}: allowed, but not logged")
        for name in rule.names:
            self.words.setdefault(name, "")

    def _refuse(self, where: str, rule: Rule) -> None:
        refusal = "kill"
        if rule.effect.kind in _REFUSES:
            refusal = _refusal(rule.effect)
        else:
            self.warnings.append(f"{where}: {rule.action} becomes a kill of the process")
        for name in rule.names:
            self.words.setdefault(name, refusal)

    def lines(self) -> list[str]:
        """Write the assignments.

        The first one decides the list's type; in an allowlist a later one with ~ and errno refuses
        a call with its own errno (systemd's seccomp_parse_syscall_filter).
        """
        allowed = [name for name, refusal in self.words.items() if not refusal]
        refused = [f"{name}:{refusal}" for name, refusal in self.words.items() if refusal]
        namespaces = ["RestrictNamespaces=yes"] if self.restricts_namespaces else []
        if not self.allowing:
            return _assign("~", refused) + namespaces
        return _assign("", allowed or ["@default"]) + _assign("~", refused) + namespaces


def _assign(mark: str, words: list[str]) -> list[str]:
    """Write a line for every dozen names."""
    starts = range(0, len(words), 12)
    return [f"SystemCallFilter={mark}{' '.join(words[at : at + 12])}" for at in starts]

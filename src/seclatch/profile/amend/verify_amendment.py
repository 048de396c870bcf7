"""Try an amended profile before it is written: it allows what was accepted, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from seclatch.errors import SeclatchError
from seclatch.filter.classic_bpf.simulate import simulate_filter
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.profile.profile import Profile
from seclatch.model.seccomp_data import MAX_ARGS, SeccompData
from seclatch.model.syscall import load_syscalls
from seclatch.profile.amend.denial_evidence import DenialEvidence
from seclatch.profile.amend.propose_rules import ProposedCall
from seclatch.profile.compile.compile_profile import compile_profile
from seclatch.profile.compile.runtime_limits import Runtime
from seclatch.profile.meaning.compared_side import make_side
from seclatch.profile.meaning.diff_profiles import CallEffect, compare_profiles, diff_sides

_GAINS = (CallEffect.ALLOWED, CallEffect.UNDECIDED)


def verify_amendment(
    before: Profile, after: Profile, native: Arch, accepted: Iterable[ProposedCall]
) -> list[str]:
    """Compare resolved profiles by meaning, and simulate what was seen.

    Returns what changes besides under runc, whose stub depends on the newest call that a profile
    names. Raises SeclatchError, so that nothing is written, where the amended profile is not right.
    """
    accepted = list(accepted)
    names = {name for each in accepted for name in each.names}
    found = compare_profiles(before, after, native)
    changed = {change.name for change in found.changes}
    wrong = {change.name for change in found.changes if change.effect not in _GAINS}
    if found.opened or found.closed or changed != names or wrong:
        different = sorted((changed ^ names) | wrong)
        raise _refuse(f"it would change {', '.join(different[:10]) or 'architectures'} too")
    denials = [denial for each in accepted for denial in each.denials]
    seen = [each for each in denials if each.args is not None and not each.partial]
    if denied := _simulate(after, native, seen):
        raise _refuse(f"it would still deny {denied}")
    return _list_stub_changes(before, after, native, names)


def _refuse(problem: str) -> SeclatchError:
    return SeclatchError(
        f"the amended profile is not as it should be: {problem}; nothing was written",
        remedy="rules for one call that overlap are the likely cause: see `seclatch profile check`",
    )


def _simulate(profile: Profile, native: Arch, denials: Iterable[DenialEvidence]) -> str:
    """Run the program that libseccomp makes; return the first call that it denies."""
    try:
        compiled = compile_profile(profile, runtime=Runtime.LIBSECCOMP, native=native)
    except SeclatchError as error:
        raise _refuse(f"runtimes refuse it, {error}") from error
    program = Filter.from_bytes(compiled.code, "little" if native.little else "big")
    for denial in denials:
        arch = Arch.parse(denial.arch)
        number = load_syscalls(arch).numbers.get(denial.name, denial.number)
        args = (denial.args or (0,) * MAX_ARGS)[:MAX_ARGS]
        data = SeccompData(arch.audit, number, args)
        if not simulate_filter(program, data).action.kind.executes:
            return f"{denial.name}({', '.join(map(hex, args))})"
    return ""


def _list_stub_changes(before: Profile, after: Profile, native: Arch, names: set[str]) -> list[str]:
    sides = (make_side(each, native, Runtime.RUNC) for each in (before, after))
    return [
        f"under runc, {change.name} gets {change.after[-1]} instead of {change.before[-1]}: runc "
        "answers ENOSYS to calls newer than the newest that the profile names"
        for change in diff_sides(*sides).changes
        if change.name not in names
    ]

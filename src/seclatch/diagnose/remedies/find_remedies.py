"""Find remedies for a cause, ready to paste where possible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seclatch.diagnose.causes.diagnosed_run import FoundCause
from seclatch.diagnose.denials.list_denials import DenialCase
from seclatch.diagnose.evidence.command_line import (
    given_bundle,
    given_profile,
    has_own_profile,
    needed_install,
    with_capability,
    with_latch,
    with_no_new_privs,
)
from seclatch.diagnose.evidence.image_build import builds_image, takes_step_options
from seclatch.diagnose.remedies.profile_fix import ProfileFixer
from seclatch.diagnose.remedies.required_capabilities import find_options, find_taken
from seclatch.diagnose.remedies.rule_place import find_listener
from seclatch.diagnose.remedies.rule_remedies import RuleRemedies, make_allow_rule
from seclatch.model.action import ENOSYS
from seclatch.model.arch import Arch
from seclatch.model.explanation import Remedy, RuntimeNeeds

_FALL_BACK_TEXT = """
clone3 openat2 statx faccessat2 fchmodat2 close_range epoll_pwait2 rseq preadv2 pwritev2
renameat2 copy_file_range getrandom
"""
_FALL_BACK = frozenset(_FALL_BACK_TEXT.split())
_PROGRAM_CAUSES = ("program-denied", "possibly-denied")
_AGENT_WORDS = ("seccomp agent", "seccomp receiver", "listenerPath")


def find_remedies(
    found: FoundCause,
    needs: RuntimeNeeds | None,
    command: Sequence[str],
    fixer: ProfileFixer | None = None,
) -> list[Remedy]:
    """Return the remedies, the one that opens least first."""
    if builds_image(command) and not takes_step_options(command):
        return list(_for_build_step(found))
    if found.cause == "profile-refused":
        return list(_for_refused_profile(found, command))
    if found.cause == "missing-capability" and "CAP_" in found.summary:
        return [_make_capability_remedy(found, command)]
    if found.case is None or fixer is None:
        return []
    return _for_denial(found, found.case, needs, RuleRemedies(command, fixer))


def _for_build_step(found: FoundCause) -> Iterator[Remedy]:
    """Yield the way to a profile or a capability for a step: a builder gives it its own."""
    if found.seccomp or found.cause in (*_PROGRAM_CAUSES, "missing-capability"):
        yield Remedy(
            kind="other",
            text="no option of the builder gives a step another profile or capability: have the "
            "step do without, or do in a container what it does: `docker run`, which takes both, "
            "in an image of the steps before it, then `docker commit`",
        )


def suggest_confirming(command: Sequence[str], reason: str) -> Remedy:
    """Return the remedy of the verdict "cannot tell": the command with `explain --confirm`.

    `reason`: why it was not run again without being asked.
    """
    because = f" (not done by itself: {reason})" if reason else ""
    return Remedy(
        kind="other",
        text="to decide it, have it run again with the denied calls allowed, and compared; do so "
        f"where what it does may be done again{because}",
        command=["seclatch", "explain", "--confirm", "--", *command],
    )


def _for_denial(
    found: FoundCause, case: DenialCase, needs: RuntimeNeeds | None, changes: RuleRemedies
) -> list[Remedy]:
    if found.cause == "runtime-denied" and needs:
        joined = case.denial.session == "exec"
        return list(_for_denied_runtime(needs, changes, joined=joined))
    if found.cause == "hook-denied":
        return list(_for_denied_hook(case, changes))
    if found.cause == "wrong-architecture":
        return list(_for_wrong_architecture(case))
    if found.cause not in _PROGRAM_CAUSES:
        return []
    capabilities = list(_list_capabilities(found, changes.command))
    others = [*changes.allow_together(found.together)] if found.together else []
    others += _for_denied_program(case, changes)
    # A capability comes first only for a call that the kernel refuses without it anyway.
    needed = capabilities and find_taken(case.denial.syscall, case.seen.args, case.held)
    return [*capabilities, *others] if needed else [*others[:1], *capabilities, *others[1:]]


def _make_capability_remedy(found: FoundCause, command: Sequence[str]) -> Remedy:
    name = found.summary.partition("CAP_")[2].split()[0]
    text = f"if the program may have it: --cap-add {name}"
    return Remedy(kind="other", text=text, command=with_capability(command, f"CAP_{name}"))


def _list_capabilities(found: FoundCause, command: Sequence[str]) -> Iterator[Remedy]:
    """Yield capabilities with which an engine's own profile allows the call."""
    case = found.case
    if case is None or not has_own_profile(command) or found.cause not in _PROGRAM_CAUSES:
        return
    call, held = case.denial.syscall, case.held
    for option in find_options(call, held):
        others = [name for name in option.calls if name != call]
        needed = find_taken(call, case.seen.args, held)
        taken = "takes" if needed == option.capability else "may need"
        yield Remedy(
            kind="other",
            text=f"if the program may have {option.capability}, which {call} {taken}: the "
            "engine's own profile then allows the call, too",
            command=with_capability(command, option.capability),
            opens=[option.means, *([f"these calls, too: {' '.join(others)}"] if others else [])],
        )


def _for_refused_profile(found: FoundCause, command: Sequence[str]) -> Iterator[Remedy]:
    """Yield what to check: the file that the command gives, else the bundle's configuration."""
    given = given_profile(command) or given_bundle(command)
    if any(word in found.summary for word in _AGENT_WORDS):
        listener = find_listener(given)
        text = f"start the agent that listens at {listener} before the container"
        if not listener:
            text = "SCMP_ACT_NOTIFY has a supervisor answer, and the profile names none: give it a "
            text += "listenerPath where one listens, or another action instead (SCMP_ACT_ERRNO)"
        yield Remedy(kind="other", text=text)
    words = ["seclatch", "profile", "check", given] if given else []
    text = "see what is wrong with it" + ("" if given else ": seclatch profile check FILE")
    yield Remedy(kind="profile", text=text, command=words)


def _for_denied_runtime(
    needs: RuntimeNeeds, changes: RuleRemedies, *, joined: bool
) -> Iterator[Remedy]:
    command = changes.command
    first = needed_install(command)
    text = "let the profile bind the program only; the runtime then needs nothing of it"
    if joined:
        text = "start the container with the seclatch runtime: its execs are exempt too"
    if first:
        text += f" (once: seclatch install {first})"
    yield Remedy(kind="latch", text=text, command=with_latch(command, needs.runtime))
    names = [needed.syscall for needed in needs.calls]
    if names:
        which = names[0] if len(names) == 1 else f"all {len(names)}"
        text = f"or, for plain {needs.runtime}, allow {which} to the program too"
        gained = [f"{needed.syscall}: {needed.opens}" for needed in needs.calls]
        yield from changes.allow_runtime(names, text, gained)
    fewer = needs.with_no_new_privs
    if fewer is None or len(fewer) >= len(names):
        return
    if not fewer or changes.fixer.allow(fewer):
        some = f"and {len(fewer)} of them: {', '.join(fewer)}"
        yield Remedy(
            kind="no-new-privs",
            text=f"or with no_new_privs{' ' + some if fewer else ', where none of them is needed'}",
            command=with_no_new_privs(command),
            rules=make_allow_rule(fewer) if fewer else None,
            tried=bool(fewer),
        )


def _for_denied_hook(case: DenialCase, changes: RuleRemedies) -> Iterator[Remedy]:
    yield Remedy(
        kind="other",
        text="make it a createContainer hook: those run before the filter is on",
    )
    yield from changes.allow_call(case)


def _for_wrong_architecture(case: DenialCase) -> Iterator[Remedy]:
    arch = Arch.parse(case.denial.arch)
    yield Remedy(
        kind="profile",
        text=f"add {arch.scmp} to the profile's architectures",
        rules={"architectures": [Arch.native().scmp, arch.scmp]},
    )


def _for_denied_program(case: DenialCase, changes: RuleRemedies) -> Iterator[Remedy]:
    name = case.denial.syscall
    if case.denial.rule.by == "unknown":
        yield Remedy(
            kind="other",
            text="the filter is not the container's: the program, or what started it, loaded it",
        )
        return
    if name in _FALL_BACK and case.denial.errno != "ENOSYS" and case.meant != ENOSYS:
        yield from changes.answer_enosys(name)
    yield from changes.allow_call(case)
    yield from changes.allow_twins(name)
    yield Remedy(
        kind="other",
        text="or record all that the program needs: seclatch record, then seclatch generate",
    )

"""Find remedies for a cause, ready to paste where possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

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
from seclatch.diagnose.remedies.exposure import (
    describe_exposure,
    find_flags_argument,
    list_asked_namespaces,
)
from seclatch.diagnose.remedies.required_capabilities import find_options, find_taken
from seclatch.model.action import ENOSYS
from seclatch.model.arch import Arch
from seclatch.model.explanation import Remedy, RuntimeNeeds
from seclatch.profile.checks.namespaces import NAMESPACES
from seclatch.profile.checks.old_and_new_calls import TWINS

_ALLOW = "SCMP_ACT_ALLOW"
_FALL_BACK_TEXT = """
clone3 openat2 statx faccessat2 fchmodat2 close_range epoll_pwait2 rseq preadv2 pwritev2
renameat2 copy_file_range getrandom
"""
_FALL_BACK = frozenset(_FALL_BACK_TEXT.split())
_PROGRAM_CAUSES = ("program-denied", "possibly-denied")
_AGENT_WORDS = ("seccomp agent", "seccomp receiver", "listenerPath")


def find_remedies(
    found: FoundCause, needs: RuntimeNeeds | None, command: Sequence[str]
) -> list[Remedy]:
    """Return the remedies, the one that opens least first."""
    if found.cause == "profile-refused":
        return list(_for_refused_profile(found, command))
    if found.cause == "missing-capability" and "CAP_" in found.summary:
        name = found.summary.partition("CAP_")[2].split()[0]
        return [Remedy(kind="other", text=f"if the program may have it: --cap-add {name}")]
    if found.case is None:
        return []
    if found.cause == "runtime-denied" and needs:
        joined = found.case.denial.session == "exec"
        return list(_for_denied_runtime(needs, command, joined=joined))
    ways = _BY_CAUSE.get(found.cause)
    return [*_list_capabilities(found, command), *ways(found.case)] if ways else []


def _list_capabilities(found: FoundCause, command: Sequence[str]) -> Iterator[Remedy]:
    """Yield capabilities with which an engine's own profile allows the call."""
    case = found.case
    if case is None or not has_own_profile(command) or found.cause not in _PROGRAM_CAUSES:
        return
    call, held = case.denial.syscall, case.held
    for option in find_options(call, held):
        others = [name for name in option.calls if name != call]
        taken = "takes" if find_taken(call, held) == option.capability else "may need"
        yield Remedy(
            kind="other",
            text=f"if the program may have {option.capability}, which {call} {taken}: the "
            "engine's own profile then allows the call, too",
            command=with_capability(command, option.capability),
            opens=[option.means, *([f"these calls, too: {' '.join(others)}"] if others else [])],
        )


def _for_refused_profile(found: FoundCause, command: Sequence[str]) -> Iterator[Remedy]:
    """Yield what to check: the file that the command gives, else the bundle's configuration."""
    if any(word in found.summary for word in _AGENT_WORDS):
        text = "start the agent that listens at the profile's listenerPath before the container"
        yield Remedy(kind="other", text=text)
    given = given_profile(command) or given_bundle(command)
    words = ["seclatch", "profile", "check", given] if given else []
    text = "see what is wrong with it" + ("" if given else ": seclatch profile check FILE")
    yield Remedy(kind="profile", text=text, command=words)


def _make_allow_rule(names: Sequence[str]) -> list[dict[str, Any]]:
    return [{"names": list(names), "action": _ALLOW}]


def _for_denied_runtime(
    needs: RuntimeNeeds, command: Sequence[str], *, joined: bool
) -> Iterator[Remedy]:
    latched = with_latch(command, needs.runtime)
    first = needed_install(command)
    text = "let the profile bind the program only; the runtime then needs nothing of it"
    if joined:
        text = "start the container with the seclatch runtime: its execs are exempt too"
    if first:
        text += f" (once: seclatch install {first})"
    yield Remedy(kind="latch", text=text, command=latched)
    names = [needed.syscall for needed in needs.calls]
    if names:
        which = names[0] if len(names) == 1 else f"all {len(names)}"
        text = f"or, for plain {needs.runtime}, allow {which} to the program too"
        gained = [f"{needed.syscall}: {needed.opens}" for needed in needs.calls]
        yield Remedy(kind="rules", text=text, rules=_make_allow_rule(names), opens=gained)
    fewer = needs.with_no_new_privs
    if fewer is not None and len(fewer) < len(names):
        text = (
            f"or with no_new_privs and {len(fewer)} of them: {', '.join(fewer)}"
            if fewer
            else "or with no_new_privs, where none of them is needed"
        )
        yield Remedy(
            kind="no-new-privs",
            text=text,
            command=with_no_new_privs(command),
            rules=_make_allow_rule(fewer) if fewer else None,
        )


def _for_denied_hook(case: DenialCase) -> Iterator[Remedy]:
    yield Remedy(
        kind="other",
        text="make it a createContainer hook: those run before the filter is on",
    )
    yield _make_rule_remedy(case)


def _for_wrong_architecture(case: DenialCase) -> Iterator[Remedy]:
    arch = Arch.parse(case.denial.arch)
    yield Remedy(
        kind="profile",
        text=f"add {arch.scmp} to the profile's architectures",
        rules={"architectures": [Arch.native().scmp, arch.scmp]},
    )


def _for_denied_program(case: DenialCase) -> Iterator[Remedy]:
    name = case.denial.syscall
    if name in _FALL_BACK and case.denial.errno != "ENOSYS" and case.meant != ENOSYS:
        text = f"answer {name} with ENOSYS: C libraries then use the older call instead"
        rule = {"names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS}
        yield Remedy(kind="profile", text=text, rules=[rule])
    if case.denial.rule.by == "unknown":
        yield Remedy(
            kind="other",
            text="the filter is not the container's: the program, or what started it, loaded it",
        )
        return
    yield _make_rule_remedy(case)
    twins = sorted({t for family in TWINS if name in family for t in family} - {name})
    if twins:
        text = f"other C libraries use {', '.join(twins)} for the same; allow those with it"
        yield Remedy(kind="profile", text=text, rules=_make_allow_rule([name, *twins]))
    yield Remedy(
        kind="other",
        text="or record all that the program needs: seclatch record, then seclatch generate",
    )


def _make_rule_remedy(case: DenialCase) -> Remedy:
    name = case.denial.syscall
    asked = list_asked_namespaces(name, case.seen.args)
    if name == "clone" and not asked:
        text = "allow clone to the program, but for new namespaces: it then makes processes only"
        return Remedy(kind="rules", text=text, rules=_make_clone_rule())
    text = f"allow {name} to the program, if it may have it: {describe_exposure(name)}"
    if asked:
        text += f"; this call asked for {'|'.join(asked)}"
    if taken := find_taken(name, case.held):
        option = f"--cap-add {taken.removeprefix('CAP_')}"
        text += f". It takes {taken} as well, which the program lacks: {option}"
    return Remedy(kind="rules", text=text, rules=_make_allow_rule([name]))


def _make_clone_rule() -> list[dict[str, Any]]:
    """Return a rule that denies new namespaces, as Docker's own profile has it."""
    mask = {
        "index": find_flags_argument("clone"),
        "value": NAMESPACES,
        "valueTwo": 0,
        "op": "SCMP_CMP_MASKED_EQ",
    }
    return [{"names": ["clone"], "action": _ALLOW, "args": [mask]}]


_BY_CAUSE: dict[str, Callable[[DenialCase], Iterator[Remedy]]] = {
    "hook-denied": _for_denied_hook,
    "wrong-architecture": _for_wrong_architecture,
    "program-denied": _for_denied_program,
    "possibly-denied": _for_denied_program,
}

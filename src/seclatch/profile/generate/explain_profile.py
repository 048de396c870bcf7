"""Say for every call of a generated profile why it is in, and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from seclatch.model.action import ENOSYS, Action, ActionKind
from seclatch.model.profile.profile import Arg, Profile
from seclatch.model.profile.profile_reasons import (
    CallReason,
    EnosysCall,
    LeftOutCall,
    ProfileReasons,
    ReasonKind,
)
from seclatch.model.recording.recording import Recording
from seclatch.model.scan import Scan
from seclatch.profile.curated.call_data import load_dangerous, load_fallbacks, load_recent
from seclatch.profile.generate.assemble_profile import AssembledProfile
from seclatch.profile.generate.explain_arguments import ArgumentExplainer
from seclatch.profile.generate.join_scan import JoinVerdict

_NO_SYSTEM_CALL = Action(ActionKind.ERRNO, ENOSYS)
_LEFT_OUT = (JoinVerdict.DANGEROUS, JoinVerdict.UNSEEN)
_PROGRAMS = 8


def explain_profile(
    done: AssembledProfile, recordings: Sequence[Recording], scan: Scan | None = None
) -> ProfileReasons:
    """Give the reasons of an assembled profile."""
    explainer = _Explainer(done, recordings, scan)
    allowed = sorted(explainer.list_allowed(), key=lambda reason: reason.call)
    names = {reason.call for reason in allowed}
    return ProfileReasons(
        allowed=allowed,
        enosys=list(_list_enosys(done.profile)),
        left_out=list(explainer.list_left_out(names)),
        left_out_arguments=list(explainer.arguments.list_left_out(names)),
    )


class _Explainer:
    def __init__(
        self, done: AssembledProfile, recordings: Sequence[Recording], scan: Scan | None
    ) -> None:
        self._done = done
        self._scan = scan
        self.arguments = ArgumentExplainer(done)
        self._counts: Counter[str] = Counter()
        self._programs: dict[str, dict[str, None]] = {}
        for recording in done.running.recordings if done.running else recordings:
            self._count(recording)
        self._found = {
            row.name
            for row in (done.joined.rows if done.joined else ())
            if row.verdict is JoinVerdict.PLAUSIBLE
        }

    def _count(self, recording: Recording) -> None:
        names = {
            process.id: [image.exe for image in process.images if image.stage in self._done.stages]
            for process in recording.processes
        }
        for entry in recording.calls:
            if entry.stage in self._done.stages and entry.name:
                self._counts[entry.name] += entry.count
                programs = names.get(entry.process, []) if entry.process is not None else []
                self._programs.setdefault(entry.name, {}).update(dict.fromkeys(programs))

    def list_allowed(self) -> Iterator[CallReason]:
        """Yield a reason for each call that some rule allows."""
        comments: dict[str, str] = {}
        conditions: dict[str, list[tuple[Arg, ...]]] = {}
        for rule in self._done.profile.rules:
            if rule.effect.kind.executes:
                for name in rule.names:
                    comments.setdefault(name, rule.comment)
                    conditions.setdefault(name, []).append(rule.args)
        for name, comment in comments.items():
            kind, reason = self._find_reason(name, comment)
            only = [] if () in conditions[name] else conditions[name]
            arguments = [self.arguments.explain(name, args) for args in only]
            yield CallReason(
                call=name,
                kind=kind,
                reason=reason,
                count=self._counts[name],
                programs=list(self._programs.get(name, {}))[:_PROGRAMS],
                chain=list(self._scan.chain(name)) if self._scan else [],
                arguments=[each.condition for each in arguments],
                argument_reasons=arguments,
                harmless=self.arguments.describe_harmless(name, arguments),
            )

    def _find_reason(self, name: str, comment: str) -> tuple[ReasonKind, str]:
        if name in self._done.made.recorded:
            count = self._counts[name]
            times = f"recorded {count} time{'s' if count != 1 else ''}"
            programs = list(self._programs.get(name, {}))[:_PROGRAMS]
            return "recorded", f"{times} by {', '.join(programs)}" if programs else times
        if self._done.completed and name in self._done.completed.added:
            added = self._done.completed.added[name]
            return added.kind, added.reason
        if name in self._found:
            return "scan", "found in the binaries, not recorded"
        if self._is_of_generator(name):
            if comment.startswith("needed by"):
                return "runtime", comment
            return "portable", comment
        return "base", comment or "the given profile has it"

    def _is_of_generator(self, name: str) -> bool:
        """Tell twins and a runtime's needs from the rules of a given base."""
        return self._done.completed is not None and any(
            name in rule.names for rule in self._done.made.profile.rules
        )

    def list_left_out(self, allowed: set[str]) -> Iterator[LeftOutCall]:
        """Yield what was recorded or found and is not allowed."""
        yield from self._list_removed(allowed)
        yield from self._list_boot_only(allowed)
        for row in self._done.joined.rows if self._done.joined else ():
            if row.verdict in _LEFT_OUT and row.name not in allowed:
                reason = row.verdict.value
                if row.name in load_dangerous():
                    reason = f"{reason}: {load_dangerous()[row.name].reason}"
                yield LeftOutCall(
                    call=row.name,
                    reason=reason,
                    remedy=f"--allow {row.name}",
                    chain=list(row.chain),
                )
        yield from self._list_denied(allowed)

    def _list_boot_only(self, allowed: set[str]) -> Iterator[LeftOutCall]:
        names = self._done.running.boot_only if self._done.running else frozenset[str]()
        for name in sorted(names - allowed):
            yield LeftOutCall(call=name, reason=JoinVerdict.BOOT.value, remedy=f"--allow {name}")

    def _list_removed(self, allowed: set[str]) -> Iterator[LeftOutCall]:
        removed = self._done.completed.removed if self._done.completed else {}
        for name, source in sorted(removed.items()):
            if name not in allowed:
                yield LeftOutCall(call=name, reason=f"{source} denies it", remedy=f"--wider {name}")

    def _list_denied(self, allowed: set[str]) -> Iterator[LeftOutCall]:
        names = {
            each.name
            for each in self._done.recording.denials
            if each.stage in self._done.stages and each.name
        }
        for name in sorted(names - allowed):
            yield LeftOutCall(call=name, reason="denied while recording", remedy=f"--wider {name}")


def _list_enosys(profile: Profile) -> Iterator[EnosysCall]:
    names = {
        name
        for rule in profile.rules
        if rule.effect == _NO_SYSTEM_CALL and not rule.args
        for name in rule.names
    }
    fallbacks = load_fallbacks()
    for name in sorted(names):
        known = fallbacks.get(name)
        yield EnosysCall(
            call=name,
            reason=known.reason if known else load_recent().reason,
            fallback=known.fallback if known else "",
        )


def list_reasons(reasons: ProfileReasons) -> Iterable[str]:
    """Return a line for each call, and for each condition on its arguments."""
    for each in reasons.allowed:
        chain = f" ({' → '.join(each.chain)})" if each.chain and each.kind == "scan" else ""
        only = "; only if" if each.arguments else ""
        only += f" (harmless are {each.harmless})" if each.harmless else ""
        yield f"{each.call}: {each.reason}{chain}{only}"
        yield from (f"  {row.condition}: {row.reason}" for row in each.argument_reasons)
    for missing in reasons.left_out:
        remedy = f"; {missing.remedy} allows it" if missing.remedy else ""
        yield f"{missing.call}: not allowed: {missing.reason}{remedy}"
    for value in reasons.left_out_arguments:
        call = f"{value.call}, argument {value.index} {value.value:#x}"
        yield f"{call}: not allowed: {value.reason}; {value.remedy} allows it"
    for refused in reasons.enosys:
        instead = f"; programs use {refused.fallback} instead" if refused.fallback else ""
        yield f"{refused.call}: ENOSYS{instead}"

"""Find the rule of a profile that answers a call, by running the filter that the runtime makes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.filter.classic_bpf.simulate import simulate_filter
from seclatch.model.action import ENOSYS, Action, ActionKind
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.profile.profile import Profile, format_comparisons
from seclatch.model.profile.rule_match import find_matching_rules
from seclatch.model.seccomp_data import SeccompData
from seclatch.model.syscall import Syscall
from seclatch.profile.compile.compile_profile import Runtime, compile_profile

_BAD_ARCH = ActionKind.KILL_THREAD  # what libseccomp answers to calls of an ABI that was not added


@dataclass(frozen=True, slots=True)
class CallRuling:
    """The action, and why.

    `by` is `rule`, `default`, `architecture` (the ABI is not among the profile's) or `newer`
    (runc's ENOSYS for numbers above all that the profile names).
    """

    action: Action
    by: str
    rule: int | None = None
    condition: str = ""

    @property
    def reason(self) -> str:
        """Return the reason as text."""
        if self.by == "rule":
            return f"rule {self.rule}" + (f" (where {self.condition})" if self.condition else "")
        if self.by == "architecture":
            return "the profile does not list its architecture"
        if self.by == "newer":
            return "newer than every call the profile names, for which runc answers ENOSYS"
        return "the default action"


@dataclass
class ProfileEvaluator:
    """One profile as one runtime reads it. Raises SeclatchError where the runtime would refuse."""

    profile: Profile
    runtime: str
    native: Arch

    @cached_property
    def program(self) -> Filter:
        """Return the filter that the runtime loads."""
        runtime = Runtime.RUNC if self.runtime == "runc" else Runtime.CRUN
        code = compile_profile(self.profile, runtime=runtime, native=self.native).code
        return Filter.from_bytes(code, "little" if self.native.little else "big")

    @cached_property
    def arches(self) -> tuple[Arch, ...]:
        """Return the ABIs of the filter."""
        return tuple(dict.fromkeys((self.native, *self.profile.architectures)))

    def answer(self, syscall: Syscall, args: tuple[int, ...]) -> Action:
        """Return what happens to a call."""
        return simulate_filter(
            self.program, SeccompData(syscall.arch.audit, syscall.number, args)
        ).action

    def evaluate(self, syscall: Syscall, args: tuple[int, ...]) -> CallRuling:
        """Return what happens to a call, and why."""
        action = self.answer(syscall, args)
        if syscall.arch not in self.arches:
            return CallRuling(action, "architecture")
        for index, rule in find_matching_rules(self.profile, syscall, args):
            if rule.effect == action:
                return CallRuling(action, "rule", index, format_comparisons(rule.args))
        default = self.profile.default
        if action != default and action == Action(ActionKind.ERRNO, ENOSYS):
            return CallRuling(action, "newer")
        return CallRuling(action, "default")

    def denies(self, syscall: Syscall, args: tuple[int, ...]) -> bool:
        """Return whether the call is not made."""
        return not self.evaluate(syscall, args).action.kind.executes


def make_applied_evaluator(file: Path, native: Arch) -> ProfileEvaluator | None:
    """Return an evaluator of a profile that `seclatch apply` loads, as it is in force here."""
    from seclatch.apply.loadable import describe_process
    from seclatch.profile.compile.resolve_profile import narrow_profile
    from seclatch.profile.parse.load_profile import load_profile

    try:
        profile = narrow_profile(load_profile(file), describe_process())
    except (SeclatchError, OSError):
        return None
    return make_evaluator(profile, "crun", native)


def make_evaluator(profile: Profile | None, runtime: str, native: Arch) -> ProfileEvaluator | None:
    """Return an evaluator; None if there is no profile or it does not compile here."""
    if profile is None or profile.conditional or not profile.default_action:
        return None
    found = ProfileEvaluator(profile, runtime, native)
    try:
        _ = found.program
    except SeclatchError:
        return None
    return found

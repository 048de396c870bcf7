"""What a check looks at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Profile, Rule
from seclatch.model.syscall import load_syscalls
from seclatch.profile.compile.resolve_profile import Host, list_kept_rules, narrow_profile
from seclatch.profile.meaning.compared_side import stub_limits
from seclatch.profile.meaning.rule_meaning import ProfileMeaning, read_meaning
from seclatch.profile.parse.text_position import Path


@dataclass
class CheckedProfile:
    """The profile as written (`profile`, `raw`) and as it is in force on `host`.

    `manifest` is what a Kubernetes manifest says beside it; `program`: it is what a BPF program
    decompiles to, to which no runtime adds anything.
    """

    profile: Profile
    raw: dict[str, Any]
    host: Host
    manifest: dict[str, Any] = field(default_factory=dict)
    program: bool = False

    @cached_property
    def resolved(self) -> Profile:
        """The profile without its conditions."""
        return narrow_profile(self.profile, self.host)

    @cached_property
    def meaning(self) -> ProfileMeaning:
        """What the resolved profile says of each call."""
        return read_meaning(self.resolved, self.host.arch)

    @cached_property
    def stub_limit(self) -> int | None:
        """The number above which runc's stub answers ENOSYS to the host's own calls, if any."""
        limits = {} if self.program else stub_limits(self.resolved, self.meaning.arches)
        return limits.get(self.host.arch)

    def stubbed(self, name: str) -> bool:
        """Return whether runc's stub answers a call of the host's own ABI."""
        number = load_syscalls(self.host.arch).numbers.get(name, 0)
        return self.stub_limit is not None and number > self.stub_limit

    @cached_property
    def kept(self) -> list[int]:
        """The index in the profile of each rule of the resolved one."""
        return list_kept_rules(self.profile, self.host)

    def path(self, rule: int, name: str = "") -> Path:
        """Where rule number `rule` of the resolved profile, or a name in it, stands."""
        return self.written_path(self.kept[rule], name)

    def written_path(self, rule: int, name: str = "") -> Path:
        """Return the path of a rule of the profile as written."""
        names = self.profile.rules[rule].names
        if not name or name not in names:
            return ("syscalls", rule)
        written = self.raw["syscalls"][rule]
        if written.get("name"):
            return ("syscalls", rule, "name")
        return ("syscalls", rule, "names", names.index(name))

    def place_of(self, name: str) -> Path:
        """Where the rule that decides about a call stands; the default action if there is none."""
        clauses = self.meaning.clauses(name)
        return self.path(clauses[0].rule, name) if clauses else ("defaultAction",)

    def claimed(self) -> tuple[Arch, ...]:
        """Every ABI that the profile names, and the host's."""
        mapped = (each for arch, further in self.profile.arch_map for each in (arch, *further))
        return tuple(dict.fromkeys((*self.profile.architectures, *mapped, self.host.arch)))

    def written(self) -> Iterator[tuple[int, Rule, str]]:
        """Every name in every rule as written, with the rule and its index."""
        for index, rule in enumerate(self.profile.rules):
            for name in rule.names:
                yield index, rule, name

"""Constants that scanned programs pass, for `--args`; and where they pass what is no constant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from seclatch.model.profile import Profile, Rule
from seclatch.model.scan import Scan
from seclatch.profile.generate.narrow_arguments import (
    INT,
    MAPPERS,
    SELECTORS,
    Values,
    narrow_rules,
)

_MOST = 3


@dataclass(frozen=True, slots=True)
class ScannedArguments:
    """`values` by call and index; `unknown` calls with the functions whose values are unknown.

    `reason`: why nothing is known of any call; then no argument is compared.
    """

    values: Values = field(default_factory=dict)
    unknown: dict[str, tuple[str, ...]] = field(default_factory=dict)
    reason: str = ""

    def closes(self, name: str) -> bool:
        """Return whether all values of a call's selected argument are known."""
        return not self.reason and name not in self.unknown

    def describe(self, names: Sequence[str]) -> Iterator[str]:
        """Say which of the calls are allowed with arguments that were not recorded, and why."""
        selected = sorted({*names} & (SELECTORS.keys() | MAPPERS.keys()))
        if self.reason and selected:
            yield f"--args: not compared, since {self.reason}: {', '.join(selected)}"
        elif unknown := [name for name in selected if name in self.unknown]:
            rows = (f"{name} ({', '.join(self.unknown[name][:_MOST])})" for name in unknown)
            yield f"--args: not compared, since the value is no constant: {'; '.join(rows)}"


def read_scanned_arguments(scan: Scan, unscanned: Sequence[str]) -> ScannedArguments:
    """Join the arguments of all programs. `unscanned`: programs that were executed besides."""
    if unscanned:
        return ScannedArguments(reason=f"{', '.join(unscanned[:_MOST])} was not scanned")
    if not scan.whole:
        return ScannedArguments(reason="the scan is open")
    found = ScannedArguments()
    for program in scan.programs:
        if program.arguments is None:
            return ScannedArguments(reason="the scan has none (scan again with this version)")
        for each in program.arguments:
            values = found.values.setdefault((each.call, each.index), set())
            values.update(value & INT for value in each.values)
            if each.open:
                known = found.unknown.get(each.call, ())
                found.unknown[each.call] = tuple(dict.fromkeys((*known, *each.open)))
        # A call that is made by no followed code has no row: by a number that is given on.
        rows = {each.call for each in program.arguments}
        made = {call.name for call in program.calls} & (SELECTORS.keys() | MAPPERS.keys())
        for name in made - rows - {"clone"}:
            found.unknown.setdefault(name, (program.path,))
    return found


def narrow_with_scan(
    names: Iterable[str], recorded: Values, scanned: ScannedArguments | None
) -> list[Rule]:
    """Return the rules of recorded calls whose values are all known: recorded and scanned ones.

    A call that was recorded without its argument is not narrowed.
    """
    if scanned is None:
        return narrow_rules(names, recorded)
    joined = {key: values | scanned.values.get(key, set()) for key, values in recorded.items()}
    return narrow_rules(filter(scanned.closes, names), joined)


def narrow_added(profile: Profile, added: set[str], scanned: ScannedArguments) -> Profile:
    """Compare the arguments of calls that a scan alone has added to a profile."""
    narrowed = narrow_rules(filter(scanned.closes, added), scanned.values)
    names = {rule.names[0] for rule in narrowed}
    rules = (
        replace(rule, names=tuple(name for name in rule.names if rule.args or name not in names))
        for rule in profile.rules
    )
    return replace(profile, rules=(*(rule for rule in rules if rule.names), *narrowed))

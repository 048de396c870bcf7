"""Constants that scanned programs pass, and where they pass what is no constant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from seclatch.model.profile.profile import Profile, Rule
from seclatch.model.scan import PassedArgument, Scan, ScannedProgram
from seclatch.profile.curated.harmless_arguments import load_harmless_arguments
from seclatch.profile.generate.arguments.narrow_arguments import (
    INT,
    MAPPERS,
    SELECTORS,
    Values,
    narrow_rules,
)

_MOST = 3
SELECTED = frozenset((SELECTORS | MAPPERS).items())
"""The arguments by which `--args` tells uses of a call apart."""


@dataclass(frozen=True, slots=True)
class ScannedArguments:
    """What scanned programs pass as arguments.

    `values`: the constants, by call and index of the argument. `unknown`: the arguments of which
    not all values are known, with the functions that pass them. `reason`: why nothing is known of
    any call; then no argument is compared.
    """

    values: Values = field(default_factory=dict)
    unknown: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    reason: str = ""

    def closes(self, name: str, index: int) -> bool:
        """Return whether all values of a call's argument are known."""
        return not self.reason and (name, index) not in self.unknown

    def list_closed(self, names: Iterable[str]) -> list[str]:
        """Return the calls of which all values of the argument that `--args` compares are known."""
        selected = SELECTORS | MAPPERS
        return [name for name in names if name in selected and self.closes(name, selected[name])]

    def describe(self, compared: Sequence[tuple[str, int]]) -> Iterator[str]:
        """Say which arguments are compared with the scan's constants, and which not, and why."""
        about = "arguments compared with the scan's constants"
        if self.reason and compared:
            yield f"no {about}, since {self.reason}: {_list_arguments(compared)}"
            return
        if closed := [key for key in compared if self.closes(*key)]:
            yield f"{about} and what was recorded (not with --any-args): {_list_arguments(closed)}"
        if opened := [key for key in compared if not self.closes(*key)]:
            rows = (
                f"{_list_arguments([k])} ({', '.join(self.unknown[k][:_MOST])})" for k in opened
            )
            yield f"not compared, since the value is no constant: {'; '.join(rows)}"


def _list_arguments(keys: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} argument {index}" for name, index in keys)


def read_scanned_arguments(
    scan: Scan, unscanned: Sequence[str], recorded: Values | None = None
) -> ScannedArguments:
    """Join the arguments of all programs. `unscanned`: programs that were executed besides.

    An argument of which a value was recorded that is not in the scan is not known.
    """
    if unscanned:
        return ScannedArguments(reason=f"{', '.join(unscanned[:_MOST])} was not scanned")
    if not scan.whole:
        return ScannedArguments(reason="the scan is open")
    found = ScannedArguments()
    for program in scan.programs:
        if program.arguments is None:
            return ScannedArguments(reason="the scan has none (scan again with this version)")
        _add_program(found, program, program.arguments)
    for key in {*found.values, *list_compared()}:
        if missed := (recorded or {}).get(key, set()) - found.values.get(key, set()):
            found.unknown.setdefault(key, (f"{min(missed):#x} was recorded and not found",))
    return found


def _add_program(
    found: ScannedArguments, program: ScannedProgram, arguments: tuple[PassedArgument, ...]
) -> None:
    for each in arguments:
        key = (each.call, each.index)
        found.values.setdefault(key, set()).update(value & INT for value in each.values)
        if each.open:
            known = found.unknown.get(key, ())
            found.unknown[key] = tuple(dict.fromkeys((*known, *each.open)))
    # A call that is made by no followed code has no row: by a number that is given on. Clone's
    # flags are not followed: of them only namespaces count, which no constant gives back.
    rows = {(each.call, each.index) for each in arguments}
    made = {call.name for call in program.calls} - {"clone"}
    for key in {*SELECTED, *list_compared()} - rows:
        if key[0] in made:
            found.unknown.setdefault(key, (program.path,))


def list_compared() -> frozenset[tuple[str, int]]:
    """Return the arguments that are compared with a scan's constants by default."""
    return frozenset(
        (row.call, each.index) for row in load_harmless_arguments() for each in row.ordinary
    )


def narrow_with_scan(
    names: Iterable[str], recorded: Values, scanned: ScannedArguments | None
) -> list[Rule]:
    """Return rules that allow recorded calls with the values that were recorded or scanned.

    Only calls of which the scan knows all values have one. A call that was recorded without
    its argument is not narrowed.
    """
    if scanned is None:
        return narrow_rules(names, recorded)
    joined = {key: values | scanned.values.get(key, set()) for key, values in recorded.items()}
    return narrow_rules(scanned.list_closed(names), joined)


def narrow_added(profile: Profile, added: set[str], scanned: ScannedArguments) -> Profile:
    """Compare the arguments of calls that a scan alone has added to a profile."""
    narrowed = narrow_rules(scanned.list_closed(added), scanned.values)
    names = {rule.names[0] for rule in narrowed}
    rules = (
        replace(rule, names=tuple(name for name in rule.names if rule.args or name not in names))
        for rule in profile.rules
    )
    return replace(profile, rules=(*(rule for rule in rules if rule.names), *narrowed))

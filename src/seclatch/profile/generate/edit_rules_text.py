"""Change which calls a profile's text allows, and nothing else: order, layout, conditions stay.

For JSON. A rule that denies one of the calls loses its name, or goes if it has no other; where the
default action denies them, a rule that allows them is added.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seclatch.model.action import Action
from seclatch.model.profile import Rule
from seclatch.profile.parse.load_profile import ProfileDocument, parse_document
from seclatch.profile.parse.text_position import Path, TextPosition

_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class ProfileEdit:
    """A changed text; `removed`: from which rules (their numbers) a name was taken, and where.

    `added`: the rule that was added, and the place after which it stands.
    """

    text: str
    removed: tuple[tuple[int, TextPosition], ...] = ()
    added: dict[str, Any] | None = None
    place: TextPosition = TextPosition()  # noqa: RUF009 (frozen)


def edit_profile_text(
    text: str, name: str, calls: Sequence[str], rule: dict[str, Any] | None = None
) -> ProfileEdit:
    """Allow calls, or answer them by `rule`. Raises InputError for what is no JSON profile."""
    removed: list[tuple[int, TextPosition]] = []
    while found := _find_denying(parse_document(text, name), calls):
        document, index, call = found
        removed.append((index, locate_name(document, index, call)))
        text = _remove_name(text, document, index, call)
    document = parse_document(text, name)
    if rule is None and document.profile.default.kind.executes:
        return ProfileEdit(text, tuple(reversed(removed)))
    added = rule or {"names": list(calls), "action": "SCMP_ACT_ALLOW"}
    text, place = _append_rule(text, document, added)
    return ProfileEdit(text, tuple(reversed(removed)), added, place)


def _find_denying(
    document: ProfileDocument, calls: Sequence[str]
) -> tuple[ProfileDocument, int, str] | None:
    """Return the last rule that denies one of the calls, and which."""
    for index, rule in reversed(list(enumerate(document.profile.rules))):
        for call in calls if not _executes(rule) else ():
            if call in rule.names:
                return document, index, call
    return None


def _executes(rule: Rule) -> bool:
    return Action.from_scmp(rule.action, rule.errno).kind.executes


def _remove_name(text: str, document: ProfileDocument, index: int, call: str) -> str:
    raw = document.raw["syscalls"][index]
    names = raw.get("names") or []
    path: Path = ("syscalls", index)
    if set(document.profile.rules[index].names) - {call} and call in names:
        path = (*path, "names", names.index(call))
    start = _find_offset(text, document.locate(path))
    return _remove_element(text, start, _DECODER.raw_decode(text, start)[1])


def _remove_element(text: str, start: int, end: int) -> str:
    """Remove an element of a list, with the comma that it no longer needs."""
    if following := re.compile(r"\s*,\s*").match(text, end):
        return text[:start] + text[following.end() :]
    before = re.search(r",?\s*\Z", text[:start])
    return text[: before.start() if before and "," in before[0] else start] + text[end:]


def _append_rule(
    text: str, document: ProfileDocument, rule: dict[str, Any]
) -> tuple[str, TextPosition]:
    written, rules = json.dumps(rule), document.raw.get("syscalls")
    if rules:
        place = document.locate(("syscalls", len(rules) - 1))
        start = _find_offset(text, place)
        end = _DECODER.raw_decode(text, start)[1]
        indent = text[text.rfind("\n", 0, start) + 1 : start]
        separator = f",\n{indent}" if not indent.strip() and "\n" in text[:start] else ", "
        return text[:end] + separator + written + text[end:], place
    if isinstance(rules, list):
        place = document.locate(("syscalls",))
        start = _find_offset(text, place)
        end = _DECODER.raw_decode(text, start)[1]
        return f"{text[:start]}[{written}]{text[end:]}", place
    place = document.locate(("defaultAction",))
    start = _find_offset(text, place)
    end = _DECODER.raw_decode(text, start)[1]
    return f'{text[:end]}, "syscalls": [{written}]{text[end:]}', place


def _find_offset(text: str, place: TextPosition) -> int:
    lines = text.split("\n")
    return sum(len(line) + 1 for line in lines[: place.line - 1]) + place.column - 1


def locate_name(document: ProfileDocument, index: int, call: str) -> TextPosition:
    """Return where a rule names a call; where the rule stands if it has no list of names."""
    names = document.raw["syscalls"][index].get("names") or []
    path: Path = ("syscalls", index)
    return document.locate((*path, "names", names.index(call)) if call in names else path)

"""Change which calls a profile's text allows, and nothing else: order, layout, conditions stay.

A rule that denies one of the calls loses its name, or goes if it has no other; where the
default action denies them, a rule that allows them is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seclatch.profile.edit.profile_text import edit_text
from seclatch.profile.parse.load_profile import ProfileDocument, parse_document
from seclatch.profile.parse.text_position import Path, TextPosition


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
    document, edited = parse_document(text, name), edit_text(text, name)
    removed = tuple(
        (index, locate_name(document, index, call))
        for index, one in enumerate(document.profile.rules)
        for call in calls
        if not one.effect.kind.executes and call in one.names
    )
    edited.drop_names(calls, {index for index, _ in removed})
    if rule is None and document.profile.default.kind.executes:
        return ProfileEdit(edited.text, removed)
    added = rule or {"names": list(calls), "action": "SCMP_ACT_ALLOW"}
    place = _find_place(parse_document(edited.text, name))
    edited.add_documents([added])
    return ProfileEdit(edited.text, removed, added, place)


def _find_place(document: ProfileDocument) -> TextPosition:
    """Return where the last rule stands, or what a list of rules would stand behind."""
    rules = document.raw.get("syscalls")
    if rules:
        return document.locate(("syscalls", len(rules) - 1))
    return document.locate(("defaultAction",) if rules is None else ("syscalls",))


def locate_name(document: ProfileDocument, index: int, call: str) -> TextPosition:
    """Return where a rule names a call; where the rule stands if it has no list of names."""
    names = document.raw["syscalls"][index].get("names") or []
    path: Path = ("syscalls", index)
    return document.locate((*path, "names", names.index(call)) if call in names else path)

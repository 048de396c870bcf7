"""Edit the text of a Kubernetes manifest (SeccompProfile, YAML): its comments and layout stay."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import yaml

from seclatch.errors import InputError
from seclatch.model.action import EPERM
from seclatch.model.profile.profile import Rule
from seclatch.output.yaml_edit import YamlText
from seclatch.profile.export.oci import rule_document
from seclatch.profile.parse.load_profile import read_raw

_SYSCALLS = ("spec", "syscalls")
_REMEDY = "seclatch profile convert --to docker -o FILE.json makes it JSON"


class ManifestText:
    """A manifest's text under edit. Raises InputError for what has no place in one."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        raw, _, _ = read_raw(text, name)
        if not raw:
            raise InputError(name, "", "it has no rules and no default action to amend")
        try:
            self._edited = YamlText(text)
        except yaml.YAMLError as error:
            raise self._refuse(str(error)) from error

    @property
    def text(self) -> str:
        """Return the whole."""
        return self._edited.text

    @property
    def rules(self) -> list[dict[str, Any]]:
        """Return the rules as they stand in the text."""
        found: list[dict[str, Any]] = read_raw(self.text, self.name)[0].get("syscalls") or []
        return found

    def add_rules(self, rules: Iterable[Rule], comment: str) -> None:
        """Add rules at the end; a rule of a manifest has no comment, so YAML's is used."""
        self.add_documents([rule_document(rule) for rule in rules], comment)

    def add_documents(self, documents: Sequence[dict[str, Any]], comment: str = "") -> None:
        """Add rules as OCI has them at the end."""
        written = " ".join("".join(c if c.isprintable() else " " for c in comment).split())
        try:
            if self._edited.find(_SYSCALLS) is None:
                self._edited.add_key(("spec",), "syscalls", documents)
            else:
                self._edited.append_items(_SYSCALLS, documents, written)
        except ValueError as error:
            raise self._refuse(f"syscalls: {error}") from error

    def drop_names(self, names: Collection[str], rules: Collection[int]) -> None:
        """Remove names from these rules; a rule without any left is removed."""
        empty = set()
        try:
            for index in rules:
                listed = self.rules[index].get("names") or []
                going = {place for place, name in enumerate(listed) if name in names}
                if len(going) == len(listed):
                    empty.add(index)
                elif going:
                    self._edited.remove_items((*_SYSCALLS, index, "names"), going)
            self._edited.remove_items(_SYSCALLS, empty)
        except ValueError as error:
            raise self._refuse(f"syscalls: {error}") from error

    def set_default(self, action: str, errno: int | None) -> None:
        """Change the default action. The operator has no errno for it: it answers EPERM."""
        if errno not in (None, EPERM) or self._edited.find(("spec", "defaultErrnoRet")):
            raise self._refuse("a manifest has no errno for the default action")
        try:
            self._edited.set_scalar(("spec", "defaultAction"), action)
        except (KeyError, ValueError) as error:
            raise self._refuse(f"defaultAction: {error}") from error

    def set_action(self, index: int, _action: str, _errno: int | None, _comment: str) -> None:
        """Refuse: what a rule did before its trial is kept in its comment."""
        raise self._refuse(
            f"rule {index} denies, and a rule of a manifest has no comment to keep that"
        )

    def _refuse(self, problem: str) -> InputError:
        return InputError(self.name, "", f"editing it in place: {problem}", remedy=_REMEDY)

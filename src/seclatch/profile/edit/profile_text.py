"""Edit the text of a profile: rules are added at its end, names and actions changed in place.

Comments, order of keys and layout stay. A config.json is edited in its
`linux.seccomp`; manifest_text.py edits Kubernetes manifests.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from seclatch.errors import InputError
from seclatch.model.profile.profile import Rule
from seclatch.output.json_array_edit import (
    append_elements,
    drop_key,
    remove_elements,
    set_key,
)
from seclatch.profile.export.docker import rule_document
from seclatch.profile.parse.load_profile import decode_json, enter_document

if TYPE_CHECKING:
    from seclatch.profile.edit.manifest_text import ManifestText

Path = tuple[str | int, ...]


def edit_text(text: str, name: str) -> ProfileText | ManifestText:
    """Open a text for editing. Raises InputError."""
    if text.lstrip().startswith("{") and not decode_json(text, name).get("kind"):
        return ProfileText(text, name)
    from seclatch.profile.edit.manifest_text import ManifestText

    return ManifestText(text, name)


class ProfileText:
    """A JSON profile's text under edit. Raises InputError for what is not JSON, or no profile."""

    def __init__(self, text: str, name: str) -> None:
        self.text, self.name = text, name
        self._root = self._read()[1]

    def _read(self) -> tuple[dict[str, Any], Path]:
        raw, prefix = enter_document(decode_json(self.text, self.name))
        if not raw:
            raise InputError(self.name, "", "it has no rules and no default action to amend")
        return raw, prefix

    @property
    def rules(self) -> list[dict[str, Any]]:
        """Return the rules as they stand in the text."""
        found: list[dict[str, Any]] = self._read()[0].get("syscalls") or []
        return found

    def add_rules(self, rules: Iterable[Rule], comment: str) -> None:
        """Add rules at the end."""
        self.add_documents([{**rule_document(rule), "comment": comment} for rule in rules])

    def add_documents(self, documents: Sequence[dict[str, Any]]) -> None:
        """Add rules as JSON has them at the end."""
        if not self._read()[0].get("syscalls"):
            self.text = set_key(self.text, self._root, "syscalls", list(documents))
        else:
            self.text = append_elements(self.text, (*self._root, "syscalls"), documents)

    def drop_names(self, names: Collection[str], rules: Collection[int]) -> None:
        """Remove names from these rules; a rule without any left is removed."""
        empty = set()
        for index in rules:
            rule = self.rules[index]
            listed = [rule["name"]] if rule.get("name") else rule.get("names") or []
            going = {place for place, name in enumerate(listed) if name in names}
            if len(going) == len(listed):
                empty.add(index)
            elif going:
                path = (*self._root, "syscalls", index, "names")
                self.text = remove_elements(self.text, path, going)
        self.text = remove_elements(self.text, (*self._root, "syscalls"), empty)

    def set_default(self, action: str, errno: int | None) -> None:
        """Change the default action; an errno that the text has is replaced or removed."""
        self.text = set_key(self.text, self._root, "defaultAction", action)
        self._set_errno(self._root, "defaultErrno", errno)

    def set_action(self, index: int, action: str, errno: int | None, comment: str) -> None:
        """Change what one rule does, and its comment; "" removes that."""
        path = (*self._root, "syscalls", index)
        self.text = set_key(self.text, path, "action", action)
        self._set_errno(path, "errno", errno)
        if comment:
            self.text = set_key(self.text, path, "comment", comment)
        else:
            self.text = drop_key(self.text, path, "comment")

    def _set_errno(self, path: Path, name: str, errno: int | None) -> None:
        self.text = drop_key(self.text, path, name)
        if errno is None:
            self.text = drop_key(self.text, path, f"{name}Ret")
        else:
            self.text = set_key(self.text, path, f"{name}Ret", errno)

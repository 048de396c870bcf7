"""Find the line of a rule in the profile's file: the bundle has rules without its lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec

from seclatch.diagnose.evidence.command_line import given_bundle, given_profile
from seclatch.errors import SeclatchError
from seclatch.model.explanation import DenyingRule, ExplainedDenial
from seclatch.profile.edit.allow_calls import locate_name
from seclatch.profile.parse.load_profile import ProfileDocument, parse_document
from seclatch.profile.parse.profile_source import read_source


@dataclass
class RuleLocator:
    """Adds lines to rules; `command` names the file."""

    command: Sequence[str]

    def locate(self, denial: ExplainedDenial) -> ExplainedDenial:
        """Return the denial with its rule's number and line in the file, if they can be found."""
        document, rule = self._document, denial.rule
        if document is None or rule.by not in ("rule", "default"):
            return denial
        if rule.by == "default":
            line = document.locate(("defaultAction",)).line
            return msgspec.structs.replace(denial, rule=_with_line(rule, self._file, line))
        for index, one in enumerate(document.profile.rules):
            if denial.syscall in one.names and str(one.effect) == denial.action:
                line = locate_name(document, index, denial.syscall).line
                return msgspec.structs.replace(denial, rule=_with_line(rule, self._file, line))
        return denial

    @cached_property
    def _file(self) -> str:
        named = given_profile(self.command) or given_bundle(self.command)
        return named if named and Path(named).is_file() else ""

    @cached_property
    def _document(self) -> ProfileDocument | None:
        return _read_document(self._file) if self._file else None


def _with_line(rule: DenyingRule, file: str, line: int) -> DenyingRule:
    return msgspec.structs.replace(rule, profile=file, line=line)


def find_listener(file: str) -> str:
    """Return the socket where a profile has its supervisor listen; "" if it names none."""
    document = _read_document(file) if file and Path(file).is_file() else None
    return document.profile.listener_path if document else ""


def _read_document(file: str) -> ProfileDocument | None:
    try:
        source = read_source(Path(file))
        return None if source.is_program else parse_document(source.text(), file)
    except (SeclatchError, OSError):
        return None

"""What a writer hands back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class WrittenProfile:
    """The file's text, and one sentence for each thing of the profile that it does not say."""

    text: str
    warnings: tuple[str, ...] = ()


def without_empty(value: dict[str, Any]) -> dict[str, Any]:
    """Drop what is absent: None, "" and empty lists and objects (Go's `omitempty`)."""
    return {key: item for key, item in value.items() if item not in (None, "", [], {})}

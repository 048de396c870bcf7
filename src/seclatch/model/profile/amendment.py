"""What `seclatch amend` does to a profile: the document of `--json`.

The schema, `seclatch/data/schemas/amend-1.json`, is generated from these types.
"""

from __future__ import annotations

import inspect
from typing import Any, Final, Literal

import msgspec

SCHEMA: Final = "seclatch.amend/1"

Kind = Literal["harmless", "ordinary", "dangerous"]


class AmendedCall(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that are allowed by one or more new rules, or would be.

    `count` denials, 0 for calls of a family that were not denied themselves. `comparisons` has one
    text a rule, none where all arguments are allowed. `danger` says why a call is dangerous.
    `accepted` is false for a dangerous one that was not answered with yes.
    """

    calls: list[str]
    kind: Kind
    count: int
    comparisons: list[str]
    reason: str
    danger: str
    accepted: bool


class UnamendedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A denied call that is not offered, and why; `option` offers it, "" where none does."""

    call: str
    count: int
    reason: str
    option: str


class Amendment(msgspec.Struct, frozen=True, kw_only=True):
    """The whole. `written` is the file that was written, "" for none; `facts` are of the trial."""

    profile: str
    sources: list[str]
    amended: list[AmendedCall]
    unamended: list[UnamendedCall]
    notes: list[str]
    facts: list[str]
    enforced: bool
    written: str
    schema: Literal["seclatch.amend/1"] = SCHEMA


def make_schema() -> dict[str, Any]:
    """Generate the schema from the types."""
    schema = msgspec.json.schema(Amendment)
    for definition in schema["$defs"].values():
        definition["description"] = inspect.cleandoc(definition["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        **schema,
    }

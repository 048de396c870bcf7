"""An explanation: what `seclatch explain --json` prints. Field names are the schema's.

The schema, `seclatch/data/schemas/explain-1.json`, is generated from these types.
"""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

SCHEMA = "seclatch.explain/1"


class DenyingRule(msgspec.Struct, frozen=True, kw_only=True):
    """The rule that denied a call.

    `by` is `rule` (number `index` of the resolved profile, counting from 0), `default`,
    `architecture`, `newer` (runc's ENOSYS) or `unknown` (the filter's profile is not known).
    `profile` is where the profile was found, `line` the rule's line in that file (0 if unknown).
    """

    by: str
    text: str
    index: int | None = None
    profile: str = ""
    line: int = 0


class ExplainedDenial(msgspec.Struct, frozen=True, kw_only=True):
    """A call that seccomp denied, `count` times.

    `action` is the profile's (`SCMP_ACT_ERRNO(1)`), "" if unknown. `errno` is what the caller got,
    "" where it was a signal or a supervisor's response. `session` is `start` or `exec`. `fatal`: a
    process ended because of it. `instead`: the call that the caller made in its place and that went
    well, or `nothing` where it needs none; such a denial is no reason for a failure.
    """

    syscall: str
    number: int
    arch: str
    arguments: list[str]
    action: str
    errno: str
    signal: str
    count: int
    time: float
    pid: int
    program: str
    stage: str
    session: str
    fatal: bool
    rule: DenyingRule
    instead: str = ""


class StartMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the engine, the runtime or the program on standard error."""

    stage: str
    program: str
    text: str


class NeededCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that the runtime makes under its filter and that the profile denies.

    `opens` is what the program gains where a rule allows it. `sometimes`: not in every start.
    """

    syscall: str
    opens: str
    sometimes: bool


class RuntimeNeeds(msgspec.Struct, frozen=True, kw_only=True):
    """All calls that the runtime needs.

    `found` is `trial` (one start under the latch, on this host), `exec` (one exec under it),
    `table` (measured before) or `seen` (the calls of this run only, where the profile is not known:
    there may be more). `with_no_new_privs` is what would remain with it, null where it is set
    already.
    """

    runtime: str
    found: str
    calls: list[NeededCall]
    with_no_new_privs: list[str] | None


class Remedy(msgspec.Struct, frozen=True, kw_only=True):
    """One remedy.

    `kind` is `latch`, `rules`, `no-new-privs`, `profile` or `other`. `command` and `rules` (entries
    of a profile's `syscalls`, or other keys of it) can be pasted; `opens` says for each call what a
    program gains. `then` is a command to run after `command`. `diff` changes `file` (near `line`)
    for `patch`. `tried`: the changed profile was compiled, and its filter answers the denied call
    as it should.
    """

    kind: str
    text: str
    command: list[str] = []
    rules: Any = None
    opens: list[str] = []
    then: list[str] = []
    file: str = ""
    line: int = 0
    diff: str = ""
    tried: bool = False


class FixedProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A changed profile that was tried: its filter answers the denied call as it should.

    `file` is the one that it changes, "" if its file is not known; `change` says what is changed.
    """

    file: str
    change: str
    text: str


class ConfirmingRun(msgspec.Struct, frozen=True, kw_only=True):
    """One more run of the command: with which denied calls allowed, and how it ended.

    `end` is `same` (it failed the same way as the first run), `succeeded` (it also is if the run
    had not failed when it was stopped, after several times the first one's length) or `other`.
    `last_words`: its last line that names an error, else its last one.
    """

    allowed: list[str]
    status: int
    end: str
    stopped: bool
    last_words: str


class Confirmation(msgspec.Struct, frozen=True, kw_only=True):
    """What further runs of the command found.

    `seccomp`: whether seccomp made the command fail, by these runs; null where they do not decide,
    or where there were none: `reason` says why. `calls`: the denied calls without which it ends
    well. `before` is the answer without these runs, in the words of `Explanation.summary`.
    """

    seccomp: bool | None
    calls: list[str]
    runs: list[ConfirmingRun]
    reason: str
    before: str


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a command failed.

    `seccomp`: whether seccomp made the command (or an exec session in its container) fail; null
    where that cannot be decided. `cause` is the kind of cause, `summary` one line, `evidence` the
    details. `stage` is where it failed, "" if nothing failed. `incomplete` counts lost events: a
    denial may be missing. `fix` is what `--fix` writes, null where no profile is to be changed.
    `confirmation` is what further runs of the command found (`--confirm`), null where the program
    was denied nothing, or did not fail, or with `--confirm never`.
    """

    seccomp: bool | None
    cause: str
    summary: str
    stage: str
    evidence: list[str]
    command: list[str]
    status: int | None
    denials: list[ExplainedDenial]
    needs: RuntimeNeeds | None
    messages: list[StartMessage]
    remedies: list[Remedy]
    incomplete: int
    fix: FixedProfile | None = None
    confirmation: Confirmation | None = None
    schema: str = SCHEMA
    seclatch: str = ""


def make_schema() -> dict[str, Any]:
    """Generate the format's JSON schema from its types."""
    schema = msgspec.json.schema(Explanation)
    for definition in schema["$defs"].values():
        definition["description"] = inspect.cleandoc(definition["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        **schema,
    }

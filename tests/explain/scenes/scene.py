"""A scene: a container of a real program that fails, and the answer that is right about it."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

FOLDER = Path(__file__).parent
Part = Literal["dev", "blind", "second", "second-blind", "third", "third-blind", "fourth-blind"]
# Sets, each with a part to develop on and one that is not read; one scene in so many is there.
SETS: dict[tuple[Part, Part], int] = {
    ("dev", "blind"): 3,
    ("second", "second-blind"): 2,
    ("third", "third-blind"): 2,
}
# The fourth set is blind as a whole: it was written to measure, not to develop on.
PARTS: tuple[Part, ...] = (*(part for parts in SETS for part in parts), "fourth-blind")
READ: tuple[Part, ...] = tuple(parts[0] for parts in SETS)

# What a class owes: seccomp ended it, it did not, or what can be observed does not decide it.
VERDICTS: dict[str, bool | None] = {
    "runtime": True,
    "denial": True,
    "follow-on": True,
    "swallowed": False,
    "own-failure": False,
    "other": False,
    "undecidable": None,
}
SPOKEN = {"seccomp": True, "not seccomp": False, "cannot tell": None}


@dataclass(frozen=True)
class Scene:
    """One scene.

    `command` is executed, or `script` by `shell`. `profile` is none, allow-all, docker-default,
    or only `allow` (`allow-and-runtime`: and what runc needs); what `deny` names is denied besides
    (by `action` and `errno`; of the latter three it is taken out), and `rules` are appended as they
    are. `files` are written and `prepare` is run as root, before, without a filter. `cure`: fields
    with which it succeeds, without a profile unless they name one. `silent`: the end has no words
    of its own. `calls` (else `deny`): the denied calls, one of which it ended over. `cause`: a name
    of docs/explaining.md, or several (`a or b`); `other` is any that claims no refusal by the
    kernel, for scenes that its table has no name for.
    """

    name: str
    kind: str
    why: str = ""
    verdict: bool | None = None
    cause: str = ""
    calls: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    script: str = ""
    shell: str = "/bin/sh"
    engine: str = "bundle"
    runtime: str = "runc"
    profile: str = "allow-all"
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    action: str = "SCMP_ACT_ERRNO"
    errno: int = 1
    rules: tuple[dict[str, Any], ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    prepare: str = ""
    add_caps: tuple[str, ...] = ()
    drop_caps: tuple[str, ...] = ()
    user: str = ""
    cwd: str = "/"
    env: tuple[str, ...] = ()
    no_new_privs: bool = False
    readonly: bool = False
    memory: str = ""
    pids: int = 0
    rlimits: Mapping[str, int] = field(default_factory=dict)
    mounts: tuple[dict[str, Any], ...] = ()
    silent: bool = False
    cure: Mapping[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> list[str]:
        return list(self.command) if self.command else [self.shell, "-c", self.script]

    def cured(self) -> Scene:
        """Return the scene as it succeeds, or as it fails for the same reason without a profile."""
        return replace(self, **freeze({"profile": "none", **self.cure}))

    def unconfined(self) -> Scene:
        return replace(self, profile="none")


def part_of(name: str, parts: tuple[Part, Part] = ("dev", "blind")) -> Part:
    """Return the part of a set that a scene belongs to: by its name, so that no one chooses."""
    digest = int(hashlib.sha256(name.encode()).hexdigest(), 16)
    return parts[digest % SETS[parts] == 0]


def load_scenes(part: Part) -> list[Scene]:
    """Return the scenes of one part."""
    return [scene for file in sorted((FOLDER / part).glob("*.toml")) for scene in read_scenes(file)]


def read_scenes(file: Path) -> list[Scene]:
    """Return the scenes of one file, whose name is their class."""
    rows = tomllib.loads(file.read_text())["scene"]
    return [make_scene(file.stem, row) for row in rows]


def make_scene(kind: str, row: dict[str, Any]) -> Scene:
    """Return one scene; the expected verdict is the class's unless the row has its own."""
    unknown = set(row) - {each.name for each in fields(Scene)}
    if unknown or kind not in VERDICTS:
        raise ValueError(f"{kind} {row.get('name')}: not a field: {sorted(unknown)}")
    spoken = row.pop("verdict", "")
    verdict = SPOKEN[spoken] if spoken else VERDICTS[kind]
    return Scene(kind=kind, verdict=verdict, **freeze(row))


def freeze(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row with its lists as tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}

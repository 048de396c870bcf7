"""The scenes as data: well-formed, enough of each class, each in its part; and what judges them.

Whether they show what they claim is found out by `make scenes`, on real programs.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from tests.explain.scenes.check_scene import find_faults
from tests.explain.scenes.judge_answer import Grade, Score, judge
from tests.explain.scenes.scene import (
    FOLDER,
    PARTS,
    SETS,
    VERDICTS,
    Scene,
    load_scenes,
    make_scene,
    part_of,
)
from tests.explain.scenes.scene_profile import make_profile

EXPLAINING = Path(__file__).parents[2] / "docs/explaining.md"
ENOUGH = {
    "denial": 60,
    "swallowed": 40,
    "follow-on": 30,
    "own-failure": 30,
    "other": 40,
    "runtime": 10,
    "undecidable": 10,
}


def every_scene() -> list[Scene]:
    return [scene for part in PARTS for scene in load_scenes(part)]


def test_there_are_enough_of_each_class() -> None:
    counts = Counter(scene.kind for scene in every_scene())
    assert not {kind: counts[kind] for kind, least in ENOUGH.items() if counts[kind] < least}
    assert set(counts) == set(VERDICTS)


def test_each_is_in_the_part_of_its_name_and_its_share_is_blind() -> None:
    for parts, share in SETS.items():
        names = {part: [scene.name for scene in load_scenes(part)] for part in parts}
        for part in parts:
            assert {part_of(name, parts) for name in names[part]} == {part}
        of_all = len(names[parts[1]]) / sum(map(len, names.values()))
        assert 0.85 / share < of_all < 1.15 / share
    every = [scene.name for scene in every_scene()]
    assert len(set(every)) == len(every)
    assert {file.parent.name for file in FOLDER.rglob("*.toml")} == set(PARTS)


def test_each_says_what_is_expected_in_the_documented_words() -> None:
    table = EXPLAINING.read_text().split("| `cause` |")[1].split("\n\n")[0]
    causes = {*re.findall(r"`([a-z-]+)`", table), "other", ""}
    known = {each.name for each in load_syscalls(Arch.native()).all()} | {"initgroups"}
    for scene in every_scene():
        assert set(scene.cause.split(" or ")) <= causes, scene.name
        assert scene.cause or scene.verdict is None, scene.name
        assert scene.words[0] and bool(scene.command) != bool(scene.script), scene.name
        if scene.kind not in ("own-failure", "other"):
            assert scene.calls or scene.deny, scene.name
        assert {*scene.calls, *scene.deny} <= known | {"prlimit64"}, scene.name


def test_each_has_a_profile_that_can_be_made() -> None:
    for scene in every_scene():
        profile = make_profile(scene)
        assert (profile is None) == (scene.profile == "none")
        if profile and scene.profile != "allow-all":
            allowed = {
                name
                for rule in profile["syscalls"]
                if rule["action"] == "SCMP_ACT_ALLOW"
                for name in rule["names"]
            }
            assert not allowed & set(scene.deny), scene.name


def test_a_misspelt_field_is_an_error() -> None:
    with pytest.raises(ValueError, match="denny"):
        make_scene("denial", {"name": "x", "denny": ["mkdir"]})


DENIAL = make_scene("denial", {"name": "a", "deny": ["mkdir"], "cause": "program-denied"})
OTHER = make_scene("other", {"name": "b", "cause": "missing-file"})
DNS = make_scene("other", {"name": "d", "cause": "limit or other"})
OPEN = make_scene("undecidable", {"name": "c", "deny": ["mkdir"]})


def answer(seccomp: bool | None, cause: str, **denied: bool) -> dict[str, Any]:
    """Return an explanation in which the denied calls are fatal or not."""
    denials = [{"syscall": name, "fatal": fatal} for name, fatal in denied.items()]
    return {"seccomp": seccomp, "cause": cause, "summary": "", "denials": denials}


@pytest.mark.parametrize(
    ("scene", "document", "grade", "named"),
    [
        (DENIAL, answer(True, "program-denied", mkdir=True), "right", True),
        (DENIAL, answer(True, "runtime-denied", mkdir=True), "right", False),
        (DENIAL, answer(True, "program-denied", mkdir=False, close=True), "wrong", None),
        (DENIAL, answer(None, "possibly-denied", mkdir=False), "hedged", None),
        (DENIAL, answer(None, "unknown"), "cannot tell", None),
        (DENIAL, answer(False, "missing-file", mkdir=False), "wrong", None),
        (OTHER, answer(False, "missing-file"), "right", True),
        (OTHER, answer(False, "permissions"), "right", False),
        (DNS, answer(False, "missing-file"), "right", False),
        (DNS, answer(False, "no-such-host"), "right", True),
        (DNS, answer(False, "limit"), "right", True),
        (OTHER, answer(True, "program-denied", mkdir=True), "wrong", None),
        (OTHER, answer(None, "possibly-denied", mkdir=False), "hedged", None),
        (OPEN, answer(None, "possibly-denied", mkdir=False), "right", None),
        (OPEN, answer(True, "program-denied", mkdir=True), "wrong", None),
        (OPEN, answer(False, "program-failed", mkdir=False), "wrong", None),
    ],
)
def test_answers_are_graded(
    scene: Scene, document: dict[str, Any], grade: Grade, named: bool | None
) -> None:
    judgement = judge(scene, document)
    assert (judgement.grade, judgement.named) == (grade, named)


def test_a_score_counts_by_class() -> None:
    score = Score(
        [
            judge(DENIAL, answer(True, "program-denied", mkdir=True)),
            judge(DENIAL, answer(False, "missing-file")),
            judge(OTHER, answer(False, "permissions")),
            judge(OPEN, answer(True, "program-denied", mkdir=True)),
        ]
    )
    rows = list(score.rows())
    assert "| denial | 2 | 1 | 0 | 1 | 0 | 1 of 1 |" in rows
    assert "| all that can be decided | 3 | 2 | 0 | 1 | 0 | 1 of 2 |" in rows
    assert "seccomp: precision 1.000 (1 of 1), recall 0.500 (1 of 2)" in rows
    assert "not seccomp: precision 0.500 (1 of 2), recall 1.000 (1 of 1)" in rows
    assert "the call is among the denied ones in 1 of 2" in rows


@contextlib.contextmanager
def by_profile(scene: Scene) -> Iterator[list[str]]:
    """Start the command alone; it sees whether there would be a profile."""
    yield ["env", f"PROFILE={scene.profile}", *scene.words]


@pytest.mark.parametrize(
    ("kind", "script", "fault"),
    [
        ("other", "echo gone >&2; exit 3", None),
        ("other", "exit 0", "ends with 0"),
        ("other", '[ "$PROFILE" = none ]', "without the profile with 0"),
        ("own-failure", 'echo "by $PROFILE"; exit 1', "says 'by allow-all'"),
        ("denial", '[ "$PROFILE" = none ]', "saw none of"),
        ("denial", "exit 1", "fails when cured"),
    ],
)
def test_a_false_claim_is_found(tmp_path: Path, kind: str, script: str, fault: str | None) -> None:
    scene = make_scene(kind, {"name": "x", "script": script, "deny": ["swapon"]})
    faults = list(find_faults(by_profile, scene, tmp_path))
    assert bool(faults) == bool(fault)
    assert fault is None or any(fault in each for each in faults), faults

"""Scenes of the development part: no certain and wrong answer, and the verdict of each.

A selection that needs nothing but this machine's own root directory; `make scenes` runs all.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.explain.conftest import Explain
from tests.explain.scenes.judge_answer import judge
from tests.explain.scenes.scene import Scene, load_scenes
from tests.explain.scenes.scene_container import container

pytestmark = pytest.mark.root

CHOSEN = {
    "python: mkdir",
    "python: bind",
    "python: no thread",
    "python: memfd_create",
    "python: mkdir trapped",
    "perl: mkdir or die",
    "perl: fork or die",
    "bash: a redirection",
    "bash: a grandchild, another status",
    "coreutils: mv",
    "mkdir, then cp",
    "ln, then cat",
    "mv, then cat",
    "chmod, then exec",
    "python: rename passed over, then a missing file",
    "mkdir silent, then cd",
    "tar silent, then what it would have extracted",
    "mkdir || echo, then cat of a missing file",
    "mkdir || echo, then false",
    "mkdir silent, then test",
    "python: mkdir logged, then a missing file",
    "nice: priority denied with a warning, then cat",
    "python: a traceback",
    "python: threads, then status 1",
    "an immutable directory: python",
    "RLIMIT_FSIZE: python, EFBIG",
    "DNS: python",
    "perl: a word that says nothing, minds the denial",
    "perl: a word that says nothing, does not mind the denial",
}


def chosen() -> list[Scene]:
    found = [scene for scene in load_scenes("dev") if scene.name in CHOSEN]
    assert {scene.name for scene in found} == CHOSEN
    return found


@pytest.mark.parametrize("scene", chosen(), ids=lambda scene: scene.name)
def test_a_scene_is_judged_right(explain: Explain, scene: Scene, tmp_path: Path) -> None:
    """Explain it on this machine's root directory, below an overlay."""
    assert shutil.which(scene.words[0]), f"{scene.words[0]} is not installed here"
    with container(scene, Path("/"), tmp_path / "scene") as words:
        done = explain(words)
    judgement = judge(scene, done.document)
    assert judgement.grade == "right", (judgement, done.document, done.done.stderr)

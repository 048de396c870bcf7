"""How good `seclatch explain` is on scenes of real programs (tests/explain/scenes).

`python -m bench explain --corpus dev` explains the scenes that whoever changes `diagnose/` may
read, `--corpus blind` those that they may not: of these it prints counts alone, unless `--answers`.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.explain.scenes.judge_answer import GRADES, Score, judge
from tests.explain.scenes.scene import Part, Scene, load_scenes
from tests.explain.scenes.start_scenes import SceneStarts
from tests.latch.oci import SCRIPTS

SECLATCH = str(SCRIPTS / "seclatch")
TIMEOUT = 120


def report(part: Part, answers: bool, engine: str) -> None:
    """Explain every scene of a part, print the table, and what was not right."""
    scenes = [scene for scene in load_scenes(part) if engine in ("", scene.engine)]
    score = Score()
    for scene, document in explain_scenes(scenes):
        score.judgements.append(judge(scene, document))
    for line in score.rows():
        print(line)
    if answers or part == "dev":
        grades = GRADES if answers else GRADES[1:]
        print("\n".join(score.unlike(grades)))


def explain_scenes(scenes: Iterable[Scene]) -> Iterable[tuple[Scene, dict[str, Any]]]:
    """Yield each scene and what is explained of it."""
    with tempfile.TemporaryDirectory(prefix="seclatch-scenes-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        with SceneStarts(place) as starts:
            for scene in scenes:
                with starts.start(scene) as words:
                    yield scene, explain(words, place / "why.json")


def explain(words: list[str], file: Path) -> dict[str, Any]:
    """Explain one command; what gives no explanation in time explains nothing."""
    command = [SECLATCH, "explain", "--json", "-o", str(file), "--", *words]
    try:
        subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=TIMEOUT
        )
        document: dict[str, Any] = json.loads(file.read_text())
    except (subprocess.TimeoutExpired, FileNotFoundError) as error:
        return {"seccomp": None, "cause": "no-answer", "summary": str(error), "denials": []}
    finally:
        file.unlink(missing_ok=True)
    return document

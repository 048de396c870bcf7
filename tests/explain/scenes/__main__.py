"""python -m tests.explain.scenes [PART|FILE...]: check that scenes are what they claim."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.explain.scenes.check_scene import find_faults
from tests.explain.scenes.scene import PARTS, Scene, load_scenes, read_scenes
from tests.explain.scenes.start_scenes import SceneStarts


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.explain.scenes", description=__doc__)
    parser.add_argument("what", nargs="*", default=list(PARTS), metavar="PART|FILE")
    parser.add_argument("--only", default="", help="scenes whose name contains this")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engine", default="", help="scenes of this engine: bundle or docker")
    options = parser.parse_args()
    scenes = [scene for what in options.what for scene in find_scenes(what)]
    chosen = [
        scene
        for scene in scenes
        if options.only in scene.name and options.engine in ("", scene.engine)
    ]
    return check(chosen, options.workers)


def find_scenes(what: str) -> list[Scene]:
    for part in PARTS:
        if what == part:
            return load_scenes(part)
    return read_scenes(Path(what))


def check(scenes: list[Scene], workers: int) -> int:
    """Print each scene's faults; return 1 if there are any."""
    with tempfile.TemporaryDirectory(prefix="seclatch-scenes-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        with SceneStarts(place) as starts, ThreadPoolExecutor(workers) as pool:

            def faults(scene: Scene) -> list[str]:
                try:
                    return list(find_faults(starts.start, scene, place))
                except (OSError, AssertionError, ValueError, subprocess.SubprocessError) as error:
                    return [f"cannot be run: {error}"]

            results = zip(scenes, pool.map(faults, scenes), strict=True)
            faulty = sum(bool(show(scene, found)) for scene, found in results)
    print(f"{len(scenes) - faulty} of {len(scenes)} scenes are what they claim")
    return int(faulty > 0)


def show(scene: Scene, faults: list[str]) -> int:
    """Print the faults of one scene; return their number."""
    for fault in faults:
        print(f"{scene.kind}: {scene.name}: {fault}", flush=True)
    return len(faults)


if __name__ == "__main__":
    sys.exit(main())

"""Start scenes, each afresh: in a bundle of its own, or by a dockerd that they share."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from tests.explain.scenes.debian_root import make_debian_root
from tests.explain.scenes.docker_scenes import DockerHost
from tests.explain.scenes.scene import Scene
from tests.explain.scenes.scene_container import container


class SceneStarts:
    """The root directory and, once a scene asks for it, the dockerd; `place` is scratch space."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._root = make_debian_root()
        self._docker = DockerHost(self._root, place)
        self._numbers = itertools.count()

    def __enter__(self) -> SceneStarts:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._docker.close()

    @contextlib.contextmanager
    def start(self, scene: Scene) -> Iterator[list[str]]:
        """Yield the command that starts the scene's container."""
        if scene.engine == "docker":
            yield self._docker.words(scene)
            return
        with container(scene, self._root, self._place / str(next(self._numbers))) as words:
            yield words

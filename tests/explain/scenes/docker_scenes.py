"""Scenes that are started by a real dockerd, with the shared root directory as their image."""

from __future__ import annotations

import itertools
import json
import subprocess
import threading
from pathlib import Path

from tests.engines.docker import Docker
from tests.engines.host import PrivateHost
from tests.explain.scenes.scene import Scene
from tests.explain.scenes.scene_container import PATH
from tests.explain.scenes.scene_profile import make_profile

IMAGE = "seclatch.test/scenes:latest"
# Too large for what they are worth here: the image is in memory.
LEFT_OUT = ("usr/lib/jvm", "usr/lib/gcc", "usr/lib/chromium", "usr/share/doc", "usr/share/locale")


class DockerHost:
    """dockerd in a private host, begun with the first scene that asks for it."""

    def __init__(self, root: Path, place: Path) -> None:
        self._root, self._place = root, place
        self._docker: Docker | None = None
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the daemon, if there is one."""
        if self._docker:
            self._docker.stop()
            self._docker.host.close()

    @property
    def docker(self) -> Docker:
        with self._lock:
            return self._started()

    def _started(self) -> Docker:
        if not self._docker:
            host = PrivateHost().start()
            self._docker = Docker(host, {}).begin(self._place / "docker.log")
            self._import(self._docker)
        return self._docker

    def _import(self, docker: Docker) -> None:
        excluded = " ".join(f"--exclude=./{name}" for name in LEFT_OUT)
        pack = f"tar -C {self._root} {excluded} -c ."
        words = docker.host.argv("docker", "-H", docker.address, "import", "-", IMAGE)
        subprocess.run(
            ["sh", "-c", f'{pack} | "$@"', "sh", *words], check=True, stdout=subprocess.DEVNULL
        )

    def words(self, scene: Scene) -> list[str]:
        """Return the command line of `docker run`."""
        docker = self.docker
        words = ["docker", "-H", docker.address, "run", "--rm", "--network", "none"]
        words += [f"--cap-add={name}" for name in scene.add_caps]
        words += [f"--cap-drop={name}" for name in scene.drop_caps]
        words += [f"--env={each}" for each in (f"PATH={PATH}", *scene.env)]
        if scene.user:
            words += ["--user", scene.user]
        if scene.memory:
            words += ["--memory", scene.memory, "--memory-swap", scene.memory]
        if scene.pids:
            words += ["--pids-limit", str(scene.pids)]
        if scene.readonly:
            words.append("--read-only")
        if scene.no_new_privs:
            words += ["--security-opt", "no-new-privileges"]
        words += self._profile(scene)
        return docker.host.argv(*words, IMAGE, *scene.words)

    def _profile(self, scene: Scene) -> list[str]:
        if scene.profile == "none":
            return ["--security-opt", "seccomp=unconfined"]
        if scene.profile == "docker-default" and not scene.deny:
            return []
        file = self._place / f"docker-{next(self._numbers)}.json"
        file.write_text(json.dumps(make_profile(scene)))
        return ["--security-opt", f"seccomp={file}"]

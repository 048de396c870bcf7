"""A scene's container: an overlay over the shared root directory, and an OCI bundle on it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.explain.scenes.scene import Scene
from tests.explain.scenes.scene_profile import make_profile
from tests.latch.oci import Bundle, Runtime, make_bundle

# As dockerd's: what a user has without a word about it.
CAPABILITIES = """
    CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT
    MKNOD AUDIT_WRITE SETFCAP
"""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PATH += ":/usr/lib/postgresql/current/bin"
MEBIBYTE = 1 << 20


@contextlib.contextmanager
def container(scene: Scene, root: Path, place: Path) -> Iterator[list[str]]:
    """Yield the words that run a fresh container of the scene; `place` is an empty directory."""
    with overlay(root, place) as merged:
        fill(scene, merged)
        bundle = scene_bundle(scene, place / "bundle", merged)
        runtime = Runtime(
            scene.runtime.removeprefix("seclatch-"), latched=scene.runtime.startswith("seclatch-")
        )
        try:
            yield runtime.argv("run", "--bundle", bundle.path, bundle.id)
        finally:
            runtime("delete", "--force", bundle.id)


@contextlib.contextmanager
def overlay(root: Path, place: Path) -> Iterator[Path]:
    """Mount what a scene may write to, in memory."""
    place.mkdir(parents=True)
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", place)
    try:
        for name in ("upper", "work", "merged"):
            (place / name).mkdir()
        layers = f"lowerdir={root},upperdir={place}/upper,workdir={place}/work"
        _run("mount", "-t", "overlay", "-o", layers, "overlay", place / "merged")
        try:
            yield place / "merged"
        finally:
            _run("umount", "--lazy", place / "merged")
    finally:
        _run("umount", "--lazy", place)
        place.rmdir()


def fill(scene: Scene, root: Path) -> None:
    """Write the scene's files and run what prepares it."""
    for name, text in scene.files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if text.startswith("#!") else 0o644)
    if scene.prepare:
        words = ["chroot", str(root), "sh", "-ec", scene.prepare]
        done = subprocess.run(
            words,
            env={"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"{scene.name}: prepare: {done.stderr}{done.stdout}")


def scene_bundle(scene: Scene, place: Path, root: Path) -> Bundle:
    """Write the bundle."""
    bundle = make_bundle(
        place,
        root,
        scene.words,
        seccomp=make_profile(scene),
        no_new_privileges=scene.no_new_privs,
    )
    config = bundle.config
    config["root"]["readonly"] = scene.readonly
    config["hostname"] = "scene"
    config["process"].update(
        cwd=scene.cwd,
        env=[f"PATH={PATH}", "HOME=/root", "LANG=C.UTF-8", *scene.env],
        user=find_user(scene.user, root),
        rlimits=[
            {"type": name, "hard": value, "soft": value} for name, value in scene.rlimits.items()
        ],
    )
    config["process"]["capabilities"] = make_capabilities(scene)
    config["mounts"] += [dict(mount) for mount in scene.mounts]
    config["linux"]["resources"].update(limit_resources(scene))
    bundle.write()
    return bundle


def find_user(name: str, root: Path) -> dict[str, Any]:
    """Return uid and gid of a name in the container's passwd."""
    for line in (root / "etc/passwd").read_text().splitlines():
        fields = line.split(":")
        if fields[0] == (name or "root"):
            return {"uid": int(fields[2]), "gid": int(fields[3])}
    raise ValueError(f"no user {name} in {root}")


def make_capabilities(scene: Scene) -> dict[str, list[str]]:
    """Return the sets as dockerd writes them: another user than root has none to begin with."""
    kept = [each for each in CAPABILITIES.split() if not {each, "ALL"} & set(scene.drop_caps)]
    names = [f"CAP_{name}" for name in [*kept, *scene.add_caps]]
    held = [] if scene.user not in ("", "root") else names
    return {"bounding": names, "effective": held, "permitted": held}


def limit_resources(scene: Scene) -> dict[str, Any]:
    """Return the limits of its control group."""
    limits: dict[str, Any] = {}
    if scene.memory:
        limit = int(scene.memory.removesuffix("m")) * MEBIBYTE
        limits["memory"] = {"limit": limit, "swap": limit}
    if scene.pids:
        limits["pids"] = {"limit": scene.pids}
    return limits


def _run(*words: str | Path) -> None:
    subprocess.run([str(word) for word in words], check=True)

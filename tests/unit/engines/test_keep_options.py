"""An agent of a node leaves the options by which an administrator has installed the latch."""

from __future__ import annotations

import pytest

from seclatch.engines import annotation_recorder, annotation_supervisor
from seclatch.engines.engine import LatchRegistration
from seclatch.engines.host_root import HostRoot
from seclatch.engines.installer import keep_options, make_engine, plan_install
from tests.unit.engines.tree import Tree

MODULES = (*annotation_recorder.MODULES, *annotation_supervisor._MODULES)
OPTIONS = {
    "nothing": (),
    "recordings": ("--record-annotations", "--record-limit", "7"),
    "profiles": ("--tighten-annotations", "--running-profiles", "/etc/own"),
    "mode": ("--mode", "gate"),
    "both": ("--record-annotations", "--tighten-annotations"),
}


@pytest.fixture
def with_python(tree: Tree) -> Tree:
    """Provide a tree that has this Python at the same paths."""
    for file in annotation_recorder.list_loaded_files(MODULES):
        if file.exists():
            tree.write(str(file), b"")
    return tree


@pytest.mark.parametrize("words", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("engine", ["docker", "containerd"])
def test_an_agent_changes_nothing(with_python: Tree, engine: str, words: tuple[str, ...]) -> None:
    with_python.run("install", engine, "--runtime", "runc", *words)
    root, wish = HostRoot(with_python.top), LatchRegistration(engine, "runc")
    kept = keep_options(root, wish)
    assert (kept.recorder is not None) == ("--record-annotations" in words)
    assert bool(kept.running_profiles) == ("--tighten-annotations" in words)
    assert plan_install(make_engine(engine, root), root, kept).steps == []
    assert bool(plan_install(make_engine(engine, root), root, wish).steps) == bool(words)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"profiles": 1}', b'{"profiles": "x"}'])
def test_settings_that_cannot_be_read_do_not_end_it(with_python: Tree, content: bytes) -> None:
    with_python.run("install", "docker", "--tighten-annotations")
    with_python.write("/usr/local/lib/seclatch/docker/supervisor.json", content)
    root = HostRoot(with_python.top)
    assert annotation_supervisor.find_profiles(root, "docker") == annotation_supervisor.PROFILES
    assert not annotation_supervisor.find_profiles(root, "podman")

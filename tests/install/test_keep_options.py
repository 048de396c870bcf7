"""An agent of a node leaves the options by which an administrator has installed the latch."""

from __future__ import annotations

import pytest

from seclatch.agent.host_recorder import find_obstacle
from seclatch.engines.installation.engine import LatchRegistration
from seclatch.engines.installation.file_change import apply_steps
from seclatch.engines.installation.host_root import HostRoot
from seclatch.engines.installer import keep_options, make_engine, plan_install
from seclatch.engines.services import annotation_recorder, annotation_supervisor
from seclatch.model.recorder_limits import RecorderLimits
from seclatch.system.recorder_client import DEFAULT_SOCKET
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


@pytest.mark.parametrize("engine", ["docker", "containerd"])
def test_an_agent_s_recorder_runs_in_a_container(with_python: Tree, engine: str) -> None:
    """Limits without a program, and back; an administrator's own goes before it."""
    root = HostRoot(with_python.top)
    plain = LatchRegistration(engine, "runc")
    wished = LatchRegistration(engine, "runc", recorder=RecorderLimits())
    link = with_python.path(f"/usr/local/lib/seclatch/{engine}/runc.record")

    def keep(wish: LatchRegistration) -> list[str]:
        plan = plan_install(make_engine(engine, root), root, keep_options(root, wish))
        apply_steps(plan.steps)
        assert plan.notes == [note for note in plan.notes if "systemd" not in note]
        return [step.describe() for step in plan.steps]

    assert "process 1 has no" in find_obstacle(root)
    keep(plain)
    without = with_python.snapshot()
    keep(wished)
    assert find_obstacle(root) == "" and str(link.readlink()) == DEFAULT_SOCKET
    assert annotation_recorder.read_limits(root) == RecorderLimits()
    assert not with_python.path(annotation_recorder.PROGRAM).exists()
    assert keep(wished) == []
    keep(plain)
    assert find_obstacle(root) and not link.is_symlink()
    assert set(without) <= set(with_python.snapshot())
    with_python.run(
        "install", engine, "--runtime", "runc", "--record-annotations", "--record-limit", "7"
    )
    assert "a recorder of its own" in find_obstacle(root)
    assert keep(wished) == keep(plain) == []
    limits = annotation_recorder.read_limits(root)
    assert limits and limits.recordings == 7
    with_python.run("uninstall", engine)
    assert find_obstacle(root) and not link.is_symlink()

"""A container's configuration, which is untrusted."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from seclatch.diagnose.evidence.container_bundles import (
    BundleReader,
    describe_bundle,
    identify_folder,
)
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import Segment, Trace


def watched(folder: Path, *argv: str, pid: int = 0, by: str = "") -> BundleReader:
    """Return what is read for a runtime that runs here with this command line.

    `pid`: of another process; `by`: what the process executed before.
    """
    trace, bundles = Trace(), BundleReader()
    first, number = by or argv[0], pid or os.getpid()
    words = (by,) if by else argv
    trace.begin(Segment(1, EventKind.EXEC, 0, 0, 1, 1, file=first, argv=words), number)
    if by:
        trace.begin(Segment(2, EventKind.EXEC, 1, 1, 2, 1, file=argv[0], argv=argv), number)
    bundles.watch(trace)
    return bundles


def write(folder: Path, content: Any) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "config.json").write_text(text)


CONFIG = {
    "process": {"noNewPrivileges": True, "user": {"uid": 7, "gid": 8}},
    "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO"}},
}


@pytest.mark.parametrize("option", ["--bundle {}", "-b {}", "--bundle={}"])
def test_a_bundle_by_its_option(tmp_path: Path, option: str) -> None:
    write(tmp_path, CONFIG)
    found = watched(tmp_path, "runc", "run", *option.format(tmp_path).split(), "name").found[1]
    assert found.profile is not None
    assert found.profile.default_action == "SCMP_ACT_ERRNO"
    assert (found.no_new_privileges, found.user) == (True, (7, 8))


def test_a_runtime_is_in_its_bundle_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read late, /proc/PID/cwd is the bundle; read too late, this program's own directory tells."""
    bundle = tmp_path / "b"
    bundle.mkdir()
    write(bundle, CONFIG)
    monkeypatch.chdir(bundle)
    found = watched(tmp_path, "runc", "run", "-b", "b", "x").found[1]
    assert (found.folder, found.source) == (identify_folder(bundle), "b/config.json")
    monkeypatch.chdir(tmp_path)
    ended = 2**22 + 1  # above the highest pid there may be (proc(5), pid_max)
    found = watched(tmp_path, "runc", "run", "-b", "b", "x", pid=ended).found[1]
    assert (found.folder, found.source) == (identify_folder(bundle), "b/config.json")
    # Not for what the command starts: that may have begun elsewhere.
    assert not watched(tmp_path, "runc", "run", "-b", "b", "x", pid=ended, by="env").found


def test_the_working_directory_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, CONFIG)
    monkeypatch.chdir(tmp_path)
    assert watched(tmp_path, "crun", "run", "name").found


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "1", '{"process": 3}', "[" * 100000, '{"no": "process"}', "\0" * 100],
)
def test_invalid_configuration_is_ignored(tmp_path: Path, content: str) -> None:
    write(tmp_path, content)
    found = watched(tmp_path, "runc", "run", "--bundle", str(tmp_path), "name").found
    assert not found or found[1].profile is None


def test_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    assert not watched(tmp_path, "runc", "run", "--bundle", str(tmp_path), "name").found


@pytest.mark.parametrize(
    "config",
    [
        {"process": {"user": [], "capabilities": 4, "noNewPrivileges": "yes"}, "linux": []},
        {"process": {"user": {"uid": -1, "gid": "x"}}, "linux": {"seccomp": {"x": 1}}},
        {"process": {"capabilities": {"bounding": {"a": 1}}}},
    ],
)
def test_values_of_wrong_types(config: dict[str, Any]) -> None:
    found = describe_bundle(config, "x")
    assert (found.user, found.no_new_privileges, found.profile) == ((0, 0), False, None)


def test_the_names_of_a_pod_s_container() -> None:
    """A container that ends at once is gone before its engine is asked for them."""
    annotations = {
        "io.kubernetes.cri.container-type": "container",
        "io.kubernetes.cri.sandbox-namespace": "prod",
        "io.kubernetes.cri.sandbox-name": "shop",
        "io.kubernetes.cri.container-name": "web",
    }
    config = {"process": {}, "annotations": annotations}
    assert describe_bundle(config, "x").names == {"web", "shop", "prod/shop/web"}
    for wrong in ({**annotations, "io.kubernetes.cri.sandbox-name": "a/b"}, {}, {"a": 1}):
        assert not describe_bundle({"process": {}, "annotations": wrong}, "x").names

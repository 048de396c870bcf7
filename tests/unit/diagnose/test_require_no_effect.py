"""Which configuration further runs of a bundle are judged by: the one that they will have."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seclatch.diagnose.confirm.client_command.second_run import CannotRunAgainError
from seclatch.diagnose.confirm.require_no_effect import choose_config
from seclatch.diagnose.confirm.run_again import plan_run_again
from seclatch.diagnose.evidence.container_bundles import (
    BundleContainer,
    describe_bundle,
    identify_folder,
)

CONFIG: dict[str, Any] = {
    "process": {},
    "root": {"path": "rootfs"},
    "mounts": [{"destination": "/data", "type": "bind", "source": "data", "options": ["ro"]}],
}


def write(folder: Path) -> BundleContainer:
    """Write a bundle; return it as it is seen where a runtime is given it."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    seen = describe_bundle(json.loads(json.dumps(CONFIG)), "config.json")
    return replace(seen, folder=identify_folder(folder))


def test_paths_are_those_of_the_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative source is looked for in the bundle, whatever directory this process is in."""
    seen = write(tmp_path / "bundle")
    monkeypatch.chdir(tmp_path)
    plan = plan_run_again(["runc", "run", "-b", "bundle", "x"], isolated=True)
    config = choose_config(plan, seen, same_view=True)
    assert config["mounts"][0]["source"] == f"{tmp_path}/bundle/data"
    assert config["root"]["path"] == f"{tmp_path}/bundle/rootfs"


def test_another_directory_of_the_same_content(tmp_path: Path) -> None:
    """Its relative paths are others: `sudo` may have been set to change the directory."""
    write(tmp_path / "planned")
    seen = write(tmp_path / "run")
    plan = plan_run_again(["runc", "run", "-b", str(tmp_path / "planned"), "x"], isolated=True)
    for view, found in ((True, seen), (False, seen), (True, replace(seen, folder=(0, 0)))):
        with pytest.raises(CannotRunAgainError, match="not the directory that its command line"):
            choose_config(plan, found, same_view=view)


def test_a_configuration_that_was_changed(tmp_path: Path) -> None:
    seen = write(tmp_path / "bundle")
    (tmp_path / "bundle/config.json").write_text(json.dumps({**CONFIG, "hostname": "x"}))
    plan = plan_run_again(["runc", "run", "-b", str(tmp_path / "bundle"), "x"], isolated=True)
    with pytest.raises(CannotRunAgainError, match=r"its config\.json was changed"):
        choose_config(plan, seen, same_view=True)


def test_an_engine_s_configuration_is_the_one_that_was_seen() -> None:
    seen = BundleContainer("x", config={"process": {"cwd": "/"}})
    plan = plan_run_again(["docker", "run", "x"], isolated=True)
    assert choose_config(plan, seen, same_view=False) == seen.config

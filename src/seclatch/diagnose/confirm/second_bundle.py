"""Make a second bundle beside the first one, for a runtime that is called without an engine."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seclatch.diagnose.confirm.client_command.run_options import RunOption
from seclatch.diagnose.confirm.client_command.second_run import (
    CannotRunAgainError,
    PlannedBundle,
    RunAgain,
    SecondRun,
    SharedRoot,
    make_name,
)
from seclatch.diagnose.confirm.effects.container_effects import controls_devices
from seclatch.diagnose.confirm.effects.oci_values import get_list, get_object
from seclatch.diagnose.confirm.layered_root import ROOT, LayeredRoot
from seclatch.diagnose.evidence.container_bundles import identify_folder

_MAX_SIZE = 8 << 20
_BIND = ("bind", "rbind")


def plan_runtime(
    client: str,
    runtime: Sequence[str],
    options: Sequence[RunOption],
    kept: Sequence[RunOption],
    *,
    isolated: bool,
) -> RunAgain:
    """Return how a bundle like the one that the options name is run. Raises CannotRunAgainError.

    `runtime`: the words before `run`. Where a layer can be laid over the root directory, what the
    runs write goes with it; else they share the root directory, which `isolated` does not allow.
    """
    named = [option.value for option in options if option.name in ("bundle", "b")]
    bundle = Path(named[-1] if named else ".").absolute()
    planned = _plan_bundle(bundle)
    config = planned.config
    if get_object(config, "process").get("terminal"):
        raise CannotRunAgainError("its container has a terminal (process.terminal of config.json)")
    root = Path(get_object(config, "root")["path"])
    controlled = controls_devices(config) and "disabled" not in " ".join(runtime)
    layered = LayeredRoot(root, devices=controlled)
    words = _without_log(runtime) if isolated else list(runtime)
    given = [word for option in kept for word in option.words]

    def make(number: str, folder: Path, profile: dict[str, Any] | None) -> SecondRun:
        name = make_name(number)
        if layered.obstacle and isolated:
            raise CannotRunAgainError(layered.obstacle)
        changed = {**config, "linux": {**get_object(config, "linux")}}
        if profile is not None:
            changed["linux"]["seccomp"] = profile
        prepare = None if layered.obstacle else layered.plan(folder)
        if prepare:
            changed["root"] = {**get_object(config, "root"), "path": str(folder / ROOT)}
        if isolated:
            changed = isolate(changed, controlled=controlled)
        file = folder / "config.json"
        file.touch(0o600)  # the environment of a process is not for all to read
        file.write_text(json.dumps(changed))
        folder.chmod(0o711)  # the root user of a user namespace has another uid here
        command = (*words, "run", *given, "--bundle", str(folder), name)
        stop = (*words, "delete", "--force", name)
        return SecondRun(command, (stop,), prepare=prepare or (lambda: None))

    shared = (
        None
        if get_object(config, "root").get("readonly") is True
        else SharedRoot(root, layered.hide)
    )
    return RunAgain(client, make, takes_input=True, root=shared, bundle=planned)


def isolate(config: dict[str, Any], *, controlled: bool) -> dict[str, Any]:
    """Return the configuration without what further runs must not have.

    That is a cgroup of a given path, whose parents would be left; and CAP_MKNOD if no control group
    keeps devices from being opened (`controlled`).
    """
    linux = {key: value for key, value in config["linux"].items() if key != "cgroupsPath"}
    process = get_object(config, "process")
    if not controlled and "capabilities" in process:
        sets = get_object(process, "capabilities")
        names = {
            kind: [each for each in get_list(sets, kind, str) if each != "CAP_MKNOD"]
            for kind in sets
        }
        process = {**process, "capabilities": names}
    return {**config, "linux": linux, "process": process}


def _without_log(runtime: Sequence[str]) -> list[str]:
    """Return the runtime's words without the log file that it would append to."""
    words: list[str] = []
    skip = False
    for word in runtime:
        if skip:
            skip = False
        elif word.lstrip("-") in ("log", "log-format"):
            skip = word.startswith("-")
        elif not word.lstrip("-").startswith(("log=", "log-format=")):
            words.append(word)
    return words


def _plan_bundle(bundle: Path) -> PlannedBundle:
    written = _read_config(bundle / "config.json")
    return PlannedBundle(
        identify_folder(bundle), written, _find_from(Path(os.path.realpath(bundle)), written)
    )


def _read_config(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            config = json.loads(stream.read(_MAX_SIZE))
    except (OSError, ValueError, RecursionError) as error:
        raise CannotRunAgainError(f"its configuration {file} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise CannotRunAgainError(f"its configuration {file} is no object")
    return config


def _find_from(bundle: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration with absolute paths: those of a bundle are relative to it."""
    root = get_object(config, "root")
    mounts = config.get("mounts")
    return {
        **config,
        "root": {**root, "path": str(bundle / str(root.get("path", "rootfs")))},
        "mounts": [_with_source(bundle, mount) for mount in mounts or []],
    }


def _with_source(bundle: Path, mount: Any) -> Any:
    if not isinstance(mount, dict) or not isinstance(mount.get("source"), str):
        return mount
    options = mount.get("options")
    binds = mount.get("type") in _BIND or (isinstance(options, list) and {*_BIND} & {*options})
    return {**mount, "source": str(bundle / mount["source"])} if binds else mount

"""Make a second bundle beside the first one, for a runtime that is called without an engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from seclatch.diagnose.confirm.run_options import RunOption
from seclatch.diagnose.confirm.second_run import CannotRunAgainError, SecondRun, make_name

_MAX_SIZE = 8 << 20
_BIND = ("bind", "rbind")


def plan_runtime(
    runtime: Sequence[str], options: Sequence[RunOption], kept: Sequence[str]
) -> Callable[[str, Path, dict[str, Any] | None], SecondRun]:
    """Return what makes a bundle like the one that the options name. Raises CannotRunAgainError."""
    named = [option.value for option in options if option.name in ("bundle", "b")]
    bundle = Path(named[-1] if named else ".").absolute()
    config = _read_config(bundle / "config.json")
    if _get(config, "process").get("terminal"):
        raise CannotRunAgainError("its container has a terminal (process.terminal of config.json)")

    def make(number: str, folder: Path, profile: dict[str, Any] | None) -> SecondRun:
        name = make_name(number)
        changed = _find_from(bundle, config)
        if profile is not None:
            changed["linux"] = {**_get(changed, "linux"), "seccomp": profile}
        (folder / "config.json").write_text(json.dumps(changed))
        words = (*runtime, "run", *kept, "--bundle", str(folder), name)
        return SecondRun(words, (*runtime, "delete", "--force", name))

    return make


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
    root = _get(config, "root")
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


def _get(holder: dict[str, Any], key: str) -> dict[str, Any]:
    value = holder.get(key)
    return value if isinstance(value, dict) else {}

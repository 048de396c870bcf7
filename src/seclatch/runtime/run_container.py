"""Run one container: from the request to its exit status, with complete cleanup.

See docs/decisions/0006 (differences from `docker run`).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from seclatch.errors import InputError, SeclatchError
from seclatch.runtime import (
    caller_terminal,
    cgroup_support,
    oci_bundle,
    overlay_layer,
    run_outcome,
    run_workspace,
    runtime_process,
)
from seclatch.runtime.find_latch import find_latch
from seclatch.runtime.run_privilege import require_root
from seclatch.runtime.run_request import RunRequest, resolve_request
from seclatch.system import mount

# Where runc and crun keep the state of root's containers by default.
_STATES = {"runc": Path("/run/runc"), "crun": Path("/run/crun")}


def make_run_config(request: RunRequest) -> oci_bundle.Config:
    """Return the config.json that `run_container` would use on this host; start nothing."""
    return oci_bundle.make_config(
        resolve_request(request, cgroup_support.choose_cgroups(request.runtime))
    )


def run_container(request: RunRequest, tell: Callable[[str], None]) -> int:
    """Run the container in the foreground and return the exit status as `docker run` has it.

    `tell` receives warnings for the user, a sentence each. Nothing is left behind, even on failure:
    container, bundle, mounts, terminal settings. This process gets a mount namespace of its own for
    it. Raises SeclatchError.
    """
    require_root()
    runtime_process.fill_standard_files()
    with (
        runtime_process.hold_signals() as held,
        caller_terminal.restore_terminal(),
        contextlib.ExitStack() as stack,
    ):
        identifier = _identifier(request)
        space = stack.enter_context(run_workspace.make_workspace(identifier))
        command = _prepare(request, space, stack, tell)
        if (number := held.stop_requested()) is not None:
            return 128 + number
        stack.callback(_remove_container, request.runtime, identifier, space)
        status = runtime_process.run_runtime(
            [*command, "--bundle", str(space.bundle), identifier], held
        )
        log = space.log.read_text(errors="replace") if space.log.exists() else ""
    return run_outcome.map_exit_status(request.runtime, status, log, request.args[0])


def _prepare(
    request: RunRequest,
    space: run_workspace.RunWorkspace,
    stack: contextlib.ExitStack,
    tell: Callable[[str], None],
) -> list[str]:
    """Make the mounts and files that the runtime uses; return its command up to `run`."""
    _enter_namespace()
    groups = cgroup_support.prepare_cgroups(request.runtime)
    if not groups.device_control:
        tell("no cgroup can be had on this host: CAP_MKNOD and device files are withheld")
    options = resolve_request(request, groups)
    if options.terminal:
        caller_terminal.wait_for_foreground()
    program = _program(request, options.seccomp is not None, tell)
    write_config(space.config, oci_bundle.make_config(options))
    stack.enter_context(
        overlay_layer.mount_overlay(
            request.rootfs, space.root, space.scratch, devices=groups.device_control
        )
    )
    log = ["--log", str(space.log), "--log-format", run_outcome.LOG_FORMATS[request.runtime]]
    return [str(program), *groups.arguments, *log, "run"]


def _enter_namespace() -> None:
    try:
        mount.unshare_mounts()
    except OSError as error:
        raise SeclatchError(
            f"cannot make a mount namespace: {error.strerror}",
            remedy="this takes CAP_SYS_ADMIN: run it as root on the host, not in a container "
            "(or in a privileged one)"
            if error.errno == errno.EPERM
            else "see unshare(2) for the reason",
        ) from error


def _program(request: RunRequest, filtered: bool, tell: Callable[[str], None]) -> Path:
    """Return the latch where there is a filter to hold back, else the bare runtime."""
    if not filtered:
        why = "the profile is empty" if request.profile else "no --profile given"
        tell(f"{why}: the container runs without a seccomp filter")
    elif not request.plain:
        return find_latch(request.runtime)
    return find_runtime(request.runtime)


def find_runtime(runtime: str) -> Path:
    """Find the bare runtime on PATH. Raises SeclatchError."""
    found = shutil.which(runtime) or shutil.which(runtime, path="/usr/local/sbin:/usr/sbin:/sbin")
    if found is None:
        raise SeclatchError(
            f"cannot find {runtime} on PATH", remedy=f"install it (apt-get install {runtime})"
        )
    return Path(found).absolute()


def write_config(path: Path, config: oci_bundle.Config) -> None:
    """Write config.json. Raises InputError for text that JSON cannot hold."""
    try:
        path.write_bytes(json.dumps(config, ensure_ascii=False).encode())
    except UnicodeEncodeError as error:
        raise InputError(
            "the command line", "", "not UTF-8, which the runtime's configuration must be"
        ) from error


def _identifier(request: RunRequest) -> str:
    """Return the container's id; refuse one that is in use by another container."""
    if request.name is None:
        return f"seclatch-{os.urandom(6).hex()}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", request.name):
        raise InputError("--name", request.name, "use letters, digits, and _ . - in between")
    if (_STATES[request.runtime] / request.name).exists():
        raise SeclatchError(
            f"{request.runtime} has a container {request.name} already",
            remedy=f"choose another --name, or remove it: "
            f"{request.runtime} delete --force {request.name}",
        )
    return request.name


def _remove_container(runtime: str, identifier: str, space: run_workspace.RunWorkspace) -> None:
    """Remove what a killed runtime has left, if the container is of this run's bundle.

    Another `seclatch run` may have taken the same name in the meantime.
    """
    state = _STATES[runtime] / identifier
    if not state.exists():
        return
    import subprocess

    program = find_runtime(runtime)
    answer = subprocess.run([program, "state", identifier], capture_output=True, check=False)
    if not _is_ours(answer.stdout, state, space):
        with contextlib.suppress(
            OSError
        ):  # all that a runc killed early enough has made: it is empty
            state.rmdir()
        return
    subprocess.run([program, "delete", "--force", identifier], capture_output=True, check=False)
    with contextlib.suppress(
        OSError
    ):  # crun leaves it when it was killed before it wrote its state
        cgroup_support.ROOT.joinpath(identifier).rmdir()


def _is_ours(answer: bytes, state: Path, space: run_workspace.RunWorkspace) -> bool:
    """Return whether the container's bundle is this run's.

    crun reports no state until its container runs, but has copied the configuration.
    """
    with contextlib.suppress(ValueError):
        return bool(json.loads(answer).get("bundle") == str(space.bundle))
    with contextlib.suppress(OSError):
        return (state / "config.json").read_bytes() == space.config.read_bytes()
    return False

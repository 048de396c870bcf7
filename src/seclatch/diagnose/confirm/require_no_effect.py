"""Require that further runs of a command leave nothing behind and reach nothing.

What the container can do is read from the configuration that its runtime was given in the first
run, which is what counts: engines have defaults of their own (containers.conf, daemon.json).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun
from seclatch.diagnose.confirm.client_command.refused_options import ENGINES
from seclatch.diagnose.confirm.client_command.second_run import CannotRunAgainError, RunAgain
from seclatch.diagnose.confirm.closed_profile import KEYRING
from seclatch.diagnose.confirm.effects.container_effects import find_effect
from seclatch.diagnose.confirm.effects.mount_effects import MountCheck
from seclatch.diagnose.confirm.run_ending import list_makers
from seclatch.diagnose.denials.list_denials import DenialCase
from seclatch.diagnose.evidence.container_bundles import BundleContainer
from seclatch.recording.trace.trace import Segment

_ID = re.compile(r"[0-9a-f]{64}")


def require_no_effect(plan: RunAgain, run: DiagnosedRun, case: DenialCase, since: int) -> None:
    """Raise CannotRunAgainError with what speaks against a run that was not asked for.

    `since`: its first run began after that (ns of CLOCK_REALTIME).
    """
    if plan.doubt:
        raise CannotRunAgainError(plan.doubt)
    container = run.evidence.container(case.session)
    if container is None or not container.config:
        raise CannotRunAgainError("its container's configuration was not seen")
    runtime = run.evidence.trace.segments.get(case.session.runtime) if case.session else None
    namespace = runtime.facts.mounts if runtime else 0
    same_view = namespace == Path("/proc/self/ns/mnt").stat().st_ino
    config = choose_config(plan, container, same_view=same_view)
    own_id = _read_id(runtime) if plan.client in ENGINES else ""
    check = MountCheck(run.evidence.command, same_view, own_id, since, namespace)
    if reason := find_effect(config, check, plan.client) or _find_key(run):
        raise CannotRunAgainError(reason)


def choose_config(
    plan: RunAgain, container: BundleContainer, *, same_view: bool
) -> Mapping[str, Any]:
    """Return what further runs are configured by. Raises CannotRunAgainError.

    Of a bundle that is what this program has read: it must be what the runtime was given.
    """
    bundle = plan.bundle
    if bundle is None:
        return container.config
    if not same_view or bundle.folder == (0, 0) or bundle.folder != container.folder:
        raise CannotRunAgainError("its bundle is not the directory that its command line names")
    if bundle.written != container.config:
        raise CannotRunAgainError("its config.json was changed")
    return bundle.config


def _read_id(runtime: Segment | None) -> str:
    """Return the id that an engine has given the container; "" if it is not known."""
    last = runtime.argv[-1] if runtime and runtime.argv and not runtime.argv_cut else ""
    return last if _ID.fullmatch(last) else ""


def _find_key(run: DiagnosedRun) -> str:
    """Return which call on a keyring the program made; "" if none. Further runs are denied it."""
    made = {name for _, name in list_makers(run.evidence)} & KEYRING
    return f"it may leave a key in a keyring of this host ({min(made)})" if made else ""

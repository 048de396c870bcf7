"""Explain what something else starts: a container that runs, or the next one that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seclatch.cli.explain.write_answer import print_note

if TYPE_CHECKING:
    from seclatch.diagnose.evidence.run_evidence import RunningContainer
    from seclatch.model.explanation import Explanation
    from seclatch.model.recording.recording import Recording
    from seclatch.recording.record_container import ContainerTarget


def explain_next_failure(
    name: str, seconds: float | None
) -> tuple[Explanation | None, Recording | None]:
    """Explain the next container that fails, of this name if there is one; None if none did."""
    from seclatch.diagnose.explain_container import explain_next
    from seclatch.process.running_bundle import find_names

    return explain_next(name, find_names, seconds, print_note)


def explain_running_container(
    word: str, seconds: float | None
) -> tuple[Explanation, Recording | None]:
    """Explain what the container of this name, id or process does from now on, until it ends."""
    from seclatch.diagnose.explain_container import explain_container

    target, running = _find_running(word)
    return explain_container(target, running, seconds, print_note)


def _find_running(word: str) -> tuple[ContainerTarget, RunningContainer]:
    """Return the running container of this name, with its runtime and its configuration."""
    from seclatch.diagnose.evidence.container_bundles import BundleContainer
    from seclatch.diagnose.evidence.run_evidence import RunningContainer
    from seclatch.process.process_snapshot import SnapshotRequest, take_snapshot
    from seclatch.process.process_target import find_target
    from seclatch.process.running_bundle import find_running_bundle
    from seclatch.recording.record_container import ContainerTarget

    found = find_target(word, take_snapshot(SnapshotRequest(filters=False)).processes)
    bundle = find_running_bundle(found.pid)
    identifier = bundle.identifier or (found.container.id if found.container else "")
    source = f"config.json of {bundle.name or word}"
    configuration = BundleContainer(source, bundle.seccomp, found.main.no_new_privs)
    target = ContainerTarget(found.pid, word, identifier)
    return target, RunningContainer(bundle.runtime, configuration)

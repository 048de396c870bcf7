"""Install the latch on a host, have the engine take it, prove it by a start, undo it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from seclatch.agent.containerd_probe import ContainerdProbe
from seclatch.agent.docker_probe import DockerProbe
from seclatch.agent.engine_probe import EngineProbe
from seclatch.agent.podman_probe import PodmanProbe
from seclatch.agent.restart_engine import restart_containerd
from seclatch.engines.containerd import Containerd
from seclatch.engines.installation.engine import ContainerEngine, LatchRegistration
from seclatch.engines.installation.file_change import ChangeStep, FileChange, apply_steps
from seclatch.engines.installation.host_root import HostRoot
from seclatch.engines.installer import (
    keep_options,
    make_engine,
    plan_install,
    plan_uninstall,
)
from seclatch.errors import SeclatchError
from seclatch.host.daemon_age import find_newer_file

PROBES: dict[str, type[EngineProbe]] = {
    "containerd": ContainerdProbe,
    "docker": DockerProbe,
    "podman": PodmanProbe,
}

PROBE_SECONDS = 3600.0
"""A start that was proved counts for so long, unless something changed."""

_UNKNOWN_HANDLER = "no runtime for"


@dataclass(slots=True)
class LatchOutcome:
    """What one round did: the changes, whether the engine was restarted and a container started."""

    changed: list[str] = field(default_factory=list)
    restarted: bool = False
    probed: bool = False


@dataclass(slots=True)
class HostLatch:
    """The latch of one engine on one host; remembers the last proof."""

    root: HostRoot
    wish: LatchRegistration
    may_restart: bool = True
    _proof: tuple[str, float] = ("", 0.0)
    _refused: tuple[str, str] = ("", "")

    @property
    def engine(self) -> ContainerEngine:
        """Return the engine's configuration."""
        return make_engine(self.wish.engine, self.root)

    @property
    def probe(self) -> EngineProbe:
        """Return how the engine starts a probe container."""
        return PROBES[self.wish.engine](self.root)

    def keep(self) -> LatchOutcome:
        """Install what is missing and prove it. Raises SeclatchError if the latch does not work."""
        done = LatchOutcome()
        try:
            self._install(done)
            self._prove(done)
        except BaseException:
            self._proof = ("", 0.0)
            raise
        return done

    def _install(self, done: LatchOutcome) -> None:
        engine = self.engine
        self._refuse_again(engine)
        steps = plan_install(engine, self.root, keep_options(self.root, self.wish)).steps
        apply_steps(steps)
        done.changed = [step.describe() for step in steps]
        if any(map(_is_configuration, steps)) and isinstance(engine, Containerd):
            self._restart(done)

    def _restart(self, done: LatchOutcome) -> None:
        """Restart containerd; if it does not come back, do so without the latch."""
        if not self.may_restart:
            raise SeclatchError(
                "the configuration of containerd was changed, and it has not been restarted",
                remedy="systemctl restart containerd, on the host (running containers stay)",
            )
        try:
            restart_containerd(self.root)
        except SeclatchError as error:
            self._revert(error)
        done.restarted = True

    def _revert(self, error: SeclatchError) -> None:
        apply_steps(plan_uninstall(self.engine, self.root).steps)
        restart_containerd(self.root)
        problem = f"{error}; it runs again with its former configuration"
        self._refused = (_read_configuration(self.engine, self.root), problem)
        raise SeclatchError(problem, remedy="journalctl -u containerd, on the host") from error

    def _refuse_again(self, engine: ContainerEngine) -> None:
        """Do not break the engine once a minute: wait until its configuration is another."""
        configuration, problem = self._refused
        if problem and configuration == _read_configuration(engine, self.root):
            raise SeclatchError(problem, remedy="change its configuration: that is tried again")
        self._refused = ("", "")

    def _prove(self, done: LatchOutcome) -> None:
        daemon, since = self._proof
        current = self.probe.identify_daemon()
        fresh = since and time.monotonic() - since < PROBE_SECONDS
        if fresh and daemon == current and not done.changed:
            return
        try:
            self.probe.require_latched_start()
        except SeclatchError as error:
            if done.restarted or not self._is_outdated(str(error)):
                raise
            # killed between the change and the restart, or the files are another tool's work
            self._restart(done)
            self.probe.require_latched_start()
        done.probed = True
        self._proof = (self.probe.identify_daemon(), time.monotonic())

    def _is_outdated(self, problem: str) -> bool:
        """Return whether containerd does not know the handler since it is older than its files."""
        probe = self.probe
        if _UNKNOWN_HANDLER not in problem or not isinstance(probe, ContainerdProbe):
            return False
        files = [self.root.resolve(path) for path in self.engine.list_configs()]
        return find_newer_file(probe.find_daemon(), files) is not None

    def remove(self) -> list[str]:
        """Undo the installation; return what was changed. Refused while containers need it."""
        engine = self.engine
        steps = plan_uninstall(engine, self.root).steps
        if steps:
            self.probe.remove_image()
        apply_steps(steps)
        if any(map(_is_configuration, steps)) and isinstance(engine, Containerd):
            self._restart(LatchOutcome())
        return [step.describe() for step in steps]


def _is_configuration(step: ChangeStep) -> bool:
    return isinstance(step, FileChange) and step.purpose.startswith("configuration of")


def _read_configuration(engine: ContainerEngine, root: HostRoot) -> str:
    found = []
    for path in engine.list_configs():
        file = root.resolve(path)
        found.append(f"{path} {file.read_text(errors='replace') if file.is_file() else ''}")
    return "\n".join(found)

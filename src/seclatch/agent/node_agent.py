"""One round of `seclatch node`: latch, profiles, label, counts; each fails on its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from seclatch.agent.agent_lock import hold_agent_lock
from seclatch.agent.host_latch import HostLatch, LatchOutcome
from seclatch.agent.node_label import NodeApi
from seclatch.agent.ready_label import ReadyLabel
from seclatch.agent.ship_counts import ShippedCounts, ShipWish, ship_counts
from seclatch.errors import SeclatchError
from seclatch.fleet.node_profiles import NodeLimits, NodeProfiles, bring_profiles
from seclatch.fleet.profile_list import read_profile_list
from seclatch.fleet.pull_profile import PullPolicy
from seclatch.registry.registry_http import RegistryAccess


@dataclass(frozen=True, slots=True)
class ProfileWish:
    """Which profiles, to which directory, by which checks."""

    list_file: Path
    seccomp: Path
    policy: PullPolicy
    limits: NodeLimits


@dataclass(slots=True)
class RoundResult:
    """What one round did; `errors` has what failed as a whole: latch, list, label, shipping."""

    latch: LatchOutcome | None = None
    label: str = ""
    profiles: NodeProfiles | None = None
    shipped: ShippedCounts | None = None
    errors: dict[str, SeclatchError] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Return whether something is not as wanted."""
        profiles = self.profiles.failed if self.profiles else {}
        return bool(self.errors or profiles or (self.shipped and self.shipped.failed))


@dataclass(slots=True)
class NodeAgent:
    """What is kept true on a host, round by round."""

    access: RegistryAccess
    end_in_time: Callable[[str], AbstractContextManager[None]]
    latch: HostLatch | None = None
    label: ReadyLabel | None = None
    profiles: ProfileWish | None = None
    ship: ShipWish | None = None
    ship_seconds: float = 3600.0
    _shipped: float = float("-inf")

    def run_round(self) -> RoundResult:
        """Do all of it once."""
        done = RoundResult()
        for what, step in self._list_steps(done):
            try:
                step()
            except OSError as error:
                done.errors[what] = SeclatchError(f"{what}: {error}")
            except SeclatchError as error:
                done.errors[what] = error
            # A defect, or an answer that no check expects: the agent must not end by it, or the
            # label would stay on a node whose latch is not checked any more.
            except Exception as error:
                done.errors[what] = SeclatchError(f"{what}: {type(error).__name__}: {error}")
        return done

    def _list_steps(self, done: RoundResult) -> Iterator[tuple[str, Callable[[], None]]]:
        if self.latch:
            yield "latch", partial(_keep_latch, self.latch, done)
        if self.profiles:
            yield "profiles", partial(_bring_profiles, self.profiles, self.access, done)
        if self.label:
            yield "label", partial(self._update_label, self.label, done)
        if self.ship and time.monotonic() - self._shipped >= self.ship_seconds:
            yield "recordings", partial(self._ship, self.ship, done)

    def _update_label(self, label: ReadyLabel, done: RoundResult) -> None:
        complete = not self.profiles or bool(done.profiles and not done.profiles.failed)
        done.label = label.update(latched=done.latch is not None, complete=complete)

    def _ship(self, wish: ShipWish, done: RoundResult) -> None:
        done.shipped = ship_counts(wish, self.access, self.end_in_time)
        if not done.shipped.failed:
            self._shipped = time.monotonic()


def _keep_latch(latch: HostLatch, done: RoundResult) -> None:
    with hold_agent_lock(latch.root):
        done.latch = latch.keep()


def _bring_profiles(wish: ProfileWish, access: RegistryAccess, done: RoundResult) -> None:
    listed = read_profile_list(wish.list_file)
    done.profiles = bring_profiles(listed, wish.seccomp, access, wish.policy, wish.limits)


def remove_latch(latch: HostLatch, api: NodeApi | None) -> list[str]:
    """Take the label away, then the latch: no pod is sent to a node that is losing it."""
    if api:
        api.set_label(None)
    with hold_agent_lock(latch.root):
        return latch.remove()

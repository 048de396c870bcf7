"""Options that a second run must not have: those of the first container alone, and obstacles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seclatch.diagnose.confirm.client_command.run_options import RunOption
from seclatch.diagnose.confirm.client_command.second_run import CannotRunAgainError

ENGINES = ("docker", "podman", "nerdctl")
# Options that are the first container's own: the second one gets another name, and no such file.
_OWN_OF_ENGINES = frozenset(
    {"name", "rm", "detach", "cidfile", "pidfile", "conmon-pidfile", "replace"}
)
_OWN_OF_RUNTIMES = frozenset({"pid-file", "keep", "bundle", "b"})
OWN: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(ENGINES, _OWN_OF_ENGINES),
    "ctr": frozenset({"rm", "pid-file", "fifo-dir"}),
    "runc": _OWN_OF_RUNTIMES,
    "crun": _OWN_OF_RUNTIMES,
    "seclatch": frozenset({"name"}),
}
_TERMINAL = "it has a terminal (-t); run it without"
_NO_PROFILE = "it has no profile (--privileged)"
_BY_ENGINES = (
    ("tty", _TERMINAL),
    ("restart", "the engine restarts its container again and again (--restart); run it without"),
    ("privileged", _NO_PROFILE),
    ("rmi", "its image is removed at the end (--rmi); run it without"),
)
_BY_RUNTIMES = (
    ("detach", "its container outlives the runtime (--detach); run it without"),
    ("console-socket", "another program has its terminal (--console-socket)"),
    ("preserve-fds", "it gets open files of its caller (--preserve-fds)"),
    ("config", "its configuration is not the bundle's (--config)"),
    ("f", "its configuration is not the bundle's (-f)"),
)
_BY_CTR = (
    ("tty", _TERMINAL),
    ("privileged", _NO_PROFILE),
    ("detach", "its container outlives ctr (--detach); run it without"),
    ("config", "its container is configured by a file (--config)"),
    ("c", "its container is configured by a file (-c)"),
)
_REFUSED: Mapping[str, tuple[tuple[str, str], ...]] = {
    **dict.fromkeys(ENGINES, _BY_ENGINES),
    **dict.fromkeys(("runc", "crun"), _BY_RUNTIMES),
    "ctr": _BY_CTR,
    "seclatch": (("tty", _TERMINAL), ("dry-run", "it starts nothing (--dry-run)")),
}


def refuse_options(client: str, options: Sequence[RunOption]) -> None:
    """Raise CannotRunAgainError for an option that a second run cannot have."""
    reasons = dict(_REFUSED[client])
    for option in options:
        reason = reasons.get(option.name)
        if reason and option.is_set and (option.name, option.value) != ("restart", "no"):
            raise CannotRunAgainError(reason)

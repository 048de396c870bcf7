"""Confirm a configuration by `containerd config dump`: what the daemon makes of all its files."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from seclatch.engines.installation import toml_edit
from seclatch.engines.installation.engine import NAME, LatchRegistration, is_own_latch
from seclatch.engines.installation.host_root import HostRoot
from seclatch.errors import SeclatchError

SECONDS = 60
# containerd's name for "no other sandboxer"; only the built-in handler has it written out.
_STOCK = (None, False, 0, "", "podsandbox")
_ANNOTATIONS = ("pod_annotations", "container_annotations")


@dataclass(frozen=True)
class CriHandlers:
    """The runtime handlers of CRI, and the default one's name."""

    rows: Mapping[str, Mapping[str, Any]]
    default: str | None


def read_handlers(root: HostRoot, program: str, config: str) -> CriHandlers:
    """Let containerd read its files; return the handlers that it finds there."""
    # containerd 1.7 dumps nothing without a file; an empty one has the same meaning.
    given = config if root.resolve(config).exists() else "/dev/null"
    command = root.command(program, "--config", given, "config", "dump")
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
        table = tomllib.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, tomllib.TOMLDecodeError) as error:
        raise make_dump_error(config, str(error)) from None
    if done.returncode:
        raise make_dump_error(config, done.stderr.strip().rpartition("\n")[2])
    sections = table.get("plugins", {})
    # containerd 2 dumps what it reads from the older section under its successor's name.
    for plugin in ("io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri"):
        found = toml_edit.find_value(sections, (plugin, "containerd"))
        if isinstance(found, dict):
            return CriHandlers(found.get("runtimes", {}), found.get("default_runtime_name"))
    return CriHandlers({}, None)


def make_dump_error(config: str, problem: str) -> SeclatchError:
    """Make the error for a configuration that containerd does not read."""
    return SeclatchError(
        f"reading the configuration by `containerd --config {config} config dump`: {problem}",
        remedy="mend what containerd names, then run the command again; nothing has been changed",
    )


@dataclass(frozen=True)
class ConfirmStep:
    """The last step of a change: it fails, and so undoes the others, if containerd disagrees."""

    root: HostRoot
    program: str
    config: str
    before: CriHandlers
    wish: LatchRegistration | None  # None: the handler is to be gone

    def describe(self) -> str:
        """Name the check."""
        state = "there" if self.wish else "gone"
        return f"confirm by `containerd config dump` that the handler {NAME} is {state}"

    def diff(self) -> list[str]:
        """Return nothing beyond the description."""
        return []

    def apply(self) -> None:
        """Compare containerd's reading with the one before and with what is wanted."""
        after = read_handlers(self.root, self.program, self.config)
        if problem := next(list_disagreements(self.before, after, self.wish), ""):
            raise SeclatchError(
                f"confirming {self.config} by `containerd config dump`: {problem}",
                remedy=f"see which file that `imports` of {self.config} names has another "
                "section of CRI; containerd was not restarted",
            )

    def undo(self) -> None:
        """Leave it: nothing was changed."""


def list_disagreements(
    before: CriHandlers, after: CriHandlers, wish: LatchRegistration | None
) -> Iterator[str]:
    """List the differences between the handler as containerd reads it and as it was written."""
    for name, row in before.rows.items():
        if name != NAME and prune(after.rows.get(name)) != prune(row):
            yield f"the handler {name} would no longer be as it was"
    binary = toml_edit.find_value(after.rows, (NAME, "options", "BinaryName"))
    if wish is None:
        if is_own_latch("containerd", binary):
            yield f"the handler {NAME} is still there"
        return
    if binary != wish.front:
        yield f"there is no handler {NAME} with BinaryName = {wish.front!r}"
        return
    ours, model = after.rows[NAME], after.rows.get(wish.runtime) or after.rows.get("runc") or {}
    alike = model.get("runtime_type") == ours.get("runtime_type")
    if alike and list_options(model) != list_options(ours):
        yield f"the handler {NAME} has not the options of the one beside it"
    kept = before.default in (None, NAME, after.default)
    if not (after.default == NAME if wish.default else kept):
        yield f"the default handler would be {after.default!r}"


def list_options(row: Mapping[str, Any]) -> object:
    """Return a handler's settings without those in which the latch's one differs."""
    options = {key: value for key, value in row.get("options", {}).items() if key != "BinaryName"}
    rest = {key: value for key, value in row.items() if key not in _ANNOTATIONS}
    return prune({**rest, "options": options})


def prune(value: object) -> object:
    """Return a value without entries that are empty or built in."""
    if isinstance(value, dict):
        pruned = {key: prune(item) for key, item in value.items()}
        return {key: item for key, item in pruned.items() if item not in (*_STOCK, [], {})}
    return value

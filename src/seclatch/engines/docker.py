"""Docker: `runtimes` and `default-runtime` in daemon.json, both reloaded at SIGHUP."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seclatch.engines import docker_daemon
from seclatch.engines.installation.engine import (
    NAME,
    ConfigTexts,
    LatchRegistration,
    is_own_latch,
    make_conflict_error,
)
from seclatch.engines.installation.file_change import ChangeStep, FileChange
from seclatch.engines.installation.host_root import HostRoot
from seclatch.errors import InputError, SeclatchError
from seclatch.output import json_edit

BOM = "\ufeff"
_NO_VALIDATION = "unknown flag: --validate"
_STDIN = "/dev/stdin"


@dataclass(frozen=True)
class Docker:
    """daemon.json of the Docker daemon (dockerd(8), "daemon configuration file")."""

    root: HostRoot
    name: str = "docker"
    runtimes: tuple[str, ...] = ("runc", "crun")
    runtime_directories: tuple[str, ...] = ()

    @property
    def config(self) -> str:
        """Return the daemon's default file."""
        return docker_daemon.CONFIG

    def list_configs(self) -> list[str]:
        """Return daemon.json alone."""
        return [self.config]

    def parse(self, path: str, text: str) -> dict[str, Any]:
        """Parse the keys that are changed here; an empty file counts as `{}`, as with dockerd."""
        source = str(self.root.resolve(path))
        value = json_edit.parse_object(source, text.removeprefix(BOM).strip() or "{}")
        if not isinstance(value.get("runtimes", {}), dict):
            raise InputError(source, "runtimes", "is not an object")
        if not isinstance(value.get("default-runtime", ""), str):
            raise InputError(source, "default-runtime", "is not a string")
        return value

    def register(self, texts: ConfigTexts, wish: LatchRegistration) -> ConfigTexts:
        """Add the runtime, and with `default` name it as the default."""
        text = texts[self.config]
        old = self.parse(self.config, text or "")
        if NAME in old.get("runtimes", {}):
            raise make_conflict_error(str(self.root.resolve(self.config)), f"runtimes.{NAME}")
        body = text if text and text.strip(BOM + " \t\r\n") else "{}\n"
        mark = BOM if body.startswith(BOM) else ""
        body = json_edit.set_member(
            body.removeprefix(BOM), ["runtimes", NAME], {"path": wish.front}
        )
        if wish.default:
            body = json_edit.set_member(body, ["default-runtime"], NAME)
        self.cross_check(body, old, wish)
        return {self.config: mark + body}

    def cross_check(self, body: str, old: dict[str, Any], wish: LatchRegistration) -> None:
        """Compare the edited text with the same change made to plain values."""
        runtimes = {**old.get("runtimes", {}), NAME: {"path": wish.front}}
        default = {"default-runtime": NAME} if wish.default else {}
        if self.parse(self.config, body) != {**old, "runtimes": runtimes, **default}:
            raise SeclatchError(f"changing {self.config}: the edit would change more than ours")

    def unregister(self, path: str, text: str, original: str | None) -> str | None:
        """Remove the runtime if it is the latch's, and the default if it names it."""
        now, before = self.parse(path, text), self.parse(path, original or "")
        mark, body = (BOM if text.startswith(BOM) else ""), text.removeprefix(BOM)
        entry = now.get("runtimes", {}).get(NAME)
        if isinstance(entry, dict) and is_own_latch(self.name, entry.get("path")):
            alone = len(now["runtimes"]) == 1 and "runtimes" not in before
            body = json_edit.remove_member(body, ["runtimes"] if alone else ["runtimes", NAME])
            if now.get("default-runtime") == NAME:
                body = self.former_default(body, before.get("default-runtime"))
        left = json_edit.parse_object("", body.strip() or "{}")
        changed = body != text.removeprefix(BOM)
        return None if changed and not left and original is None else mark + body

    @staticmethod
    def former_default(body: str, default: str | None) -> str:
        """Restore the default that was there before, if any."""
        if default is None:
            return json_edit.remove_member(body, ["default-runtime"])
        return json_edit.set_member(body, ["default-runtime"], default)

    def check(self, after: ConfigTexts) -> None:
        """Let dockerd validate the new text, alone and against the running daemon's flags.

        Docker cannot before 23.0 (Debian 12 has 20.10).
        """
        text = after.get(self.config)
        if text is None:
            return
        for daemon in self.daemons():
            daemon.refuse_conflicts(self.parse(self.config, text))
        program = self.root.find_program("dockerd") if self.root.is_live else None
        if program is None:
            return
        done = subprocess.run(
            self.root.command(program, "--validate", "--config-file", _STDIN),
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode and _NO_VALIDATION not in done.stderr:
            reason = (done.stderr or done.stdout).strip().replace(_STDIN, self.config)
            raise SeclatchError(
                f"checking {self.config} as it would be: dockerd refuses it: {reason}",
                remedy="mend what dockerd names; nothing has been changed",
            )

    def daemons(self) -> list[docker_daemon.DockerDaemon]:
        """Return the running daemons that read this file."""
        return docker_daemon.find_daemons(self.root) if self.root.is_live else []

    def make_live_steps(
        self, changes: Sequence[FileChange], wish: LatchRegistration | None
    ) -> list[ChangeStep]:
        """Return the change with a reload of running daemons: SIGHUP, containers keep running."""
        daemons = tuple(self.daemons())
        front = wish.front if wish else None
        if not daemons:
            return [*changes]
        return [docker_daemon.LiveChange(change, daemons, NAME, front) for change in changes]

    def list_notes(self, wish: LatchRegistration, after: ConfigTexts) -> list[str]:
        """Return how to use it, and when it takes effect."""
        use = "docker run" if wish.default else f"docker run --runtime {NAME}"
        notes = [f"use: {use} --security-opt seccomp=FILE IMAGE CMD"]
        if not self.daemons():
            notes.insert(0, "no dockerd reads this file now: it takes effect when one starts")
        return notes

    def list_removal_notes(self) -> list[str]:
        """Return the note about stopped containers that name the runtime."""
        return [f"containers created with --runtime {NAME} will not start again; create them anew"]

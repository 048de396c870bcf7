"""A user without privileges in a private host: subordinate ids, a runtime directory, a home."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.engines.host import PrivateHost
from tests.engines.image import IMAGE

UID = 2000
HOME = Path("/run/rootless")
_ENVIRONMENT = {
    "HOME": str(HOME),
    "XDG_RUNTIME_DIR": f"/run/user/{UID}",
    "SECLATCH_LOG": str(HOME / "starts"),
}
_BECOME = (
    *("setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups"),
    *("sh", "-c", f'cd {HOME} && exec "$@"', "sh"),
)


@dataclass
class Rootless:
    """Commands of that user, and podman of that user."""

    host: PrivateHost

    def begin(self, archive: Path) -> Rootless:
        """Make the user, and load the image into the user's own storage."""
        setup = f"""
            mkdir -p /run/user/{UID} {HOME} && chown {UID}:{UID} /run/user/{UID} {HOME}
            chmod 700 /run/user/{UID}; mount --make-rshared /
            echo 'rootless:x:{UID}:{UID}::{HOME}:/bin/sh' >>/etc/passwd
            echo 'rootless:x:{UID}:' >>/etc/group
            echo 'rootless:200000:65536' | tee /etc/subuid >/etc/subgid
        """
        self.host.run("sh", "-ec", setup, check=True)
        inside = self.host.path(HOME / "image.tar")
        shutil.copy(archive, inside)
        inside.chmod(0o644)
        self.podman("load", "--quiet", "--input", HOME / "image.tar", check=True)
        return self

    def run(self, *words: str | os.PathLike[str], **options: Any) -> Any:
        """Run a command as the user."""
        env = {**_ENVIRONMENT, **options.pop("env", {})}
        return self.host.run(*_BECOME, *words, env=env, **options)

    def spawn(self, *words: str | os.PathLike[str]) -> subprocess.Popen[bytes]:
        """Start a command as the user, without output."""
        return self.host.spawn(*_BECOME, *words, log=Path(os.devnull), env=_ENVIRONMENT)

    def podman(self, *words: str | os.PathLike[str], **options: Any) -> Any:
        """Run the user's podman, without cgroups: this user has no delegated one."""
        fixed = ["--log-level", "error", "--cgroup-manager", "cgroupfs", "--events-backend", "file"]
        return self.run("podman", *fixed, *words, **options)

    def container(
        self,
        runtime: Path | str,
        *command: str,
        profile: Path | None = None,
        no_new_privs: bool = False,
        verb: tuple[str, ...] = ("run", "--rm"),
        words: Any = (),
    ) -> Any:
        """Run `podman run`, or another verb that creates a container."""
        options = ["--network", "none", "--pull", "never"]
        if Path(runtime).name == "crun":
            # Podman accepts this only for runtimes of this name
            options += ["--cgroups", "disabled"]
        if profile:
            options += ["--security-opt", f"seccomp={profile}"]
        if no_new_privs:
            options += ["--security-opt", "no-new-privileges"]
        return self.podman("--runtime", runtime, *verb, *options, *words, IMAGE, *command)

    def allow_to_execute(self, *programs: Path) -> None:
        """Let the user reach these programs: on this host alone, folders get the mode that takes.

        Python of a checkout may be below root's home directory, which others may not enter.
        """
        folders = {folder for path in programs for each in _follow(path) for folder in each.parents}
        closed = sorted(folder for folder in folders if not folder.stat().st_mode & stat.S_IXOTH)
        for number, folder in enumerate(closed):
            script = f"""
                cd {shlex.quote(str(folder))}; layers=/run/overlay/open{number}
                mkdir -p $layers/upper $layers/work
                options=lowerdir=.,upperdir=$layers/upper,workdir=$layers/work
                mount -t overlay overlay -o $options "$PWD"
                chmod o+x "$PWD"
            """
            self.host.run("sh", "-ec", script, check=True)

    def file(self, name: str, content: str) -> Path:
        """Write a file that the user owns; return its path inside."""
        path = self.host.path(HOME / name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        os.chown(path, UID, UID)
        os.chown(path.parent, UID, UID)
        return HOME / name

    def methods(self) -> list[str]:
        """Return the methods of the starts since the last call."""
        path = self.host.path(HOME / "starts")
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [json.loads(line)["road"] for line in lines]


def _follow(path: Path) -> list[Path]:
    """Return the path, and what each symbolic link on the way leads to."""
    found = [path]
    while found[-1].is_symlink():
        found.append(found[-1].parent / found[-1].readlink())
    return [*found, path.resolve()]

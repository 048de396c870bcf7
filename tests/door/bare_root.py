"""A bare Debian root directory with a shell in it, like a new user's machine.

Only the archive's minimal set is installed. apt and pip reach their registries as they do on this
machine: by its apt sources, its apt and pip options and its certificates. There is no init system:
the hook by which Debian's packages start services (policy-rc.d) starts dockerd itself.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.engines.host import cgroups, removed, wait_until

ROOT = Path(__file__).parents[2]
CHECKOUT = "/root/seclatch"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
KEYRINGS = ("debian-archive-keyring.pgp", "debian-archive-keyring.gpg")
PIP_OPTIONS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")

# No pid namespace: from within one, the recorder cannot recognise an engine's processes. In memory,
# since removing a hundred thousand small files from disk takes half a minute.
ENTER = """
set -e
root=$1/root
mount -t tmpfs tmpfs "$root"
mmdebstrap --quiet --variant=minbase --aptopt="$1/apt.conf" "$2" "$root" "$3"
cp -a "$1/files/." "$root"
cd "$root"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
for directory in run tmp var/lib/docker; do
  mkdir -p "$directory"
  mount -t tmpfs -o mode=1777 tmpfs "$directory"
done
mkdir run/lock
exec chroot . bash -c "$4"
"""

# One line at a time and stdin from /dev/null: a program must not read the next command.
SHELL = """
cd $CHECKOUT
while IFS= read -r line; do
  eval "$line" < /dev/null 2>&1
  printf '\\n%s %s\\n' "$MARK" $?
done
"""

SERVICES = """#!/bin/sh
# Called as policy-rc.d SERVICE ACTION; 101 forbids the package to do it by itself.
[ "$1 $2" = "docker (start)" ] || exit 101  # without a runlevel the action is in parentheses
setsid dockerd --iptables=false --ip6tables=false --bridge=none --cgroup-parent "/$GROUP" \\
  --exec-opt native.cgroupdriver=cgroupfs < /dev/null > /var/log/dockerd.log 2>&1 \\
  3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &  # debconf waits for the end of a pipe that it hands on
for _ in $(seq 600); do docker version > /dev/null 2>&1 && exit 101; sleep 0.1; done
cat /var/log/dockerd.log >&2
exit 101
"""


class Done(NamedTuple):
    """A command's exit status and all its output."""

    status: int
    output: str


@dataclass
class BareRoot:
    """The directory, and a root shell in it that stays open."""

    suite: str = "trixie"
    extra: Sequence[Path] = ()  # files to put beside those of the checkout
    directory: Path = field(init=False)
    shell: subprocess.Popen[str] = field(init=False)

    def start(self) -> BareRoot:
        """Make the directory with this project's files in it, and start the shell."""
        self.directory = Path(tempfile.mkdtemp(prefix="seclatch-door-"))
        self.group = self.directory.name
        (self.directory / "root").mkdir()
        (self.directory / "apt.conf").write_text(apt_options())
        add_files(self.directory / "files")
        for path in self.extra:
            shutil.copy(path, self.directory / "files" / CHECKOUT.lstrip("/"))
        self.shell = subprocess.Popen(
            [
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                ENTER,
                "enter",
                self.directory,
                self.suite,
                source(self.suite),
                SHELL,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
            env={
                "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": "/root",
                "MARK": self.group,
                "GROUP": self.group,
                "CHECKOUT": CHECKOUT,
                **registry_variables(),
            },
        )
        return self

    def paste(self, command: str) -> Done:
        """Run one line and wait for its end."""
        assert "\n" not in command
        assert self.shell.stdin and self.shell.stdout
        self.shell.stdin.write(command + "\n")
        self.shell.stdin.flush()
        lines: list[str] = []
        for line in self.shell.stdout:
            if line.startswith(f"{self.group} "):
                return Done(int(line.split()[1]), "".join(lines).removesuffix("\n"))
            lines.append(line)
        raise AssertionError(f"the shell ended in {command!r}: {''.join(lines)}")

    def close(self) -> None:
        """End all processes that were started in there, and remove the directory."""
        if hasattr(self, "shell"):
            for pid in self._processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.shell.communicate()
            for group in cgroups(self.group):
                wait_until(lambda d=group: removed(d), f"{group} to be empty")
        shutil.rmtree(self.directory)

    def _processes(self) -> list[int]:
        """List the processes in the shell's mount namespace, and those of remaining containers."""
        found = [
            int(line)
            for group in cgroups(self.group)
            for line in (group / "cgroup.procs").read_text().split()
        ]
        ours = mount_namespace(self.shell.pid)
        # it has exited, or has not entered the namespace yet
        if ours in (None, mount_namespace(os.getpid())):
            return [*found, self.shell.pid]
        pids = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
        return [*found, *(pid for pid in pids if mount_namespace(pid) == ours)]


def mount_namespace(pid: int) -> Path | None:
    """Identify a process's mount namespace; None if the process has exited."""
    try:
        return Path(f"/proc/{pid}/ns/mnt").readlink()
    except OSError:
        return None


def add_files(directory: Path) -> None:
    """Collect the files of this machine and this project that the minimal system needs."""
    (directory / "etc/ssl").mkdir(parents=True)
    shutil.copy("/etc/resolv.conf", directory / "etc/resolv.conf")
    if CERTIFICATES.exists():
        shutil.copy(CERTIFICATES, directory / "etc/ssl/host.crt")
    keyring = find_keyring()
    (directory / "usr/share/keyrings").mkdir(parents=True)
    shutil.copy(keyring, directory / "usr/share/keyrings" / keyring.name)
    services = directory / "usr/sbin/policy-rc.d"
    services.parent.mkdir(parents=True)
    services.write_text(SERVICES)
    services.chmod(0o755)
    copy_checkout(directory / CHECKOUT.lstrip("/"))


def copy_checkout(target: Path) -> None:
    """Copy the tracked and untracked, not ignored files, as they are now."""
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def apt_options() -> str:
    """Return the options of this machine's apt: proxies, checks of dates, retries."""
    dumped = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
    lines = dumped.stdout.splitlines()
    return "".join(f"{line}\n" for line in lines if line.startswith("Acquire::"))


def source(suite: str) -> str:
    """Return the line of sources.list for the archive whose lists this machine's apt has."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    sites = [site for site in listed if site.startswith("http") and "security" not in site]
    assert sites, "apt has no sources here: add one and run `apt-get update`"
    mirror = sites[0].rstrip("/").removesuffix("/debian")
    return f"deb [signed-by={find_keyring()}] {mirror}/debian {suite} main"


def find_keyring() -> Path:
    """Return the archive's keys; the file's name differs between suites."""
    return next(path for name in KEYRINGS if (path := Path("/usr/share/keyrings", name)).exists())


def registry_variables() -> dict[str, str]:
    """Return pip's options of this machine as variables, its certificates under another path."""
    listed = subprocess.run(
        ["python3", "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    variables = {
        f"PIP_{option.upper().replace('-', '_')}": value.strip("'")
        for option, value in pip_options(listed)
    }
    variables |= {name: value for name, value in os.environ.items() if "proxy" in name.lower()}
    if CERTIFICATES.exists():
        variables |= dict.fromkeys(("PIP_CERT", "SSL_CERT_FILE"), "/etc/ssl/host.crt")
    return variables


def pip_options(listed: str) -> Iterator[tuple[str, str]]:
    """Parse the output of `pip config list`: `global.index-url='…'`, `:env:.timeout='…'`."""
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        option = key.rpartition(".")[2].removeprefix("default-")
        if option in PIP_OPTIONS:
            yield option, value

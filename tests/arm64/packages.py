"""Debian's arm64 packages, fetched by an apt that has a state of its own.

The host's dpkg, its architectures and its package lists are not changed, and no root is needed.
Signatures are checked as usual. Versions in the archive change, so packages are requested by name
and apt resolves the dependencies.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

SUITE = "trixie"
KEYRINGS = ("debian-archive-keyring.pgp", "debian-archive-keyring.gpg")

CONFIGURATION = """\
APT::Architecture "{arches[0]}";
APT::Architectures {{ {quoted} }};
Dir::State "{state}";
Dir::State::status "{state}/status";
Dir::Cache "{cache}";
Dir::Etc::sourcelist "{sources}";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
"""


class Apt:
    """An apt for foreign architectures below `folder`; the first one is its native one."""

    def __init__(
        self,
        folder: Path,
        arches: Sequence[str] = ("arm64",),
        suite: str = SUITE,
        source: str | None = None,
        *,
        with_sources: bool = False,
    ) -> None:
        """Take Debian's suite, or the archive of `source`, a line of sources.list(5)."""
        self.folder = folder
        self.cache = folder / "cache"
        for each in ("state/lists/partial", "cache/archives/partial"):
            (folder / each).mkdir(parents=True, exist_ok=True)
        (folder / "state/status").touch()
        sources = folder / "sources.list"
        text = source or _sources(arches, suite)
        sources.write_text(text + re.sub(r"^deb ", "deb-src ", text, flags=re.M) * with_sources)
        configuration = folder / "apt.conf"
        configuration.write_text(
            CONFIGURATION.format(
                arches=arches,
                quoted=" ".join(f'"{arch}";' for arch in arches),
                state=folder / "state",
                cache=self.cache,
                sources=sources,
            )
        )
        self.environment = {**os.environ, "APT_CONFIG": str(configuration), "LC_ALL": "C"}

    def run(self, *words: str | Path, cwd: Path | None = None) -> str:
        """Run one of apt's programs; raise RuntimeError with its output if it fails."""
        done = subprocess.run(
            words,
            env=self.environment,
            cwd=cwd,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr or done.stdout}")
        return done.stdout

    def update(self) -> None:
        """Update the package lists, or continue with those of an earlier run."""
        try:
            self.run("apt-get", "-q", "update")
        except RuntimeError as error:
            if not list((self.folder / "state/lists").glob("*_Packages*")):
                raise
            print(f"arm64: with the package lists of an earlier run: {error}")

    def closure(self, names: Sequence[str]) -> list[Path]:
        """Fetch the packages and all their dependencies; return the files' paths."""
        options = ["-qq", "-y", "--no-install-recommends"]
        # apt does not list packages that are in its cache, so use an empty one
        empty = self.folder / "empty"
        (empty / "archives/partial").mkdir(parents=True, exist_ok=True)
        listed = self.run(
            "apt-get", *options, "-o", f"Dir::Cache={empty}", "--print-uris", "install", *names
        )
        self.run("apt-get", *options, "--download-only", "install", *names)
        fetched = self.cache / "archives"
        return sorted(fetched / line.split()[1] for line in listed.splitlines() if line)

    def single(self, name: str) -> Path:
        """Fetch one package without its dependencies."""
        folder = self.cache / "single"
        folder.mkdir(exist_ok=True)
        uri = self.run("apt-get", "-q", "--print-uris", "download", name)
        path = folder / uri.split()[1]
        if not path.exists():
            self.run("apt-get", "-q", "download", name, cwd=folder)
        return path

    def source(self, name: str) -> Path:
        """Fetch the upstream archive of a source package; apt checks its signature."""
        folder = self.cache / "source"
        folder.mkdir(exist_ok=True)
        self.run("apt-get", "-q", "--download-only", "source", name, cwd=folder)
        [archive] = folder.glob(f"{name}_*.orig.tar.*")
        return archive

    def depends(self, name: str) -> list[str]:
        """Return the first dependencies of a package: what a metapackage stands for."""
        shown = self.run("apt-cache", "show", "--no-all-versions", name)
        (line,) = [each for each in shown.splitlines() if each.startswith("Depends:")]
        return [word.split()[0] for word in line.removeprefix("Depends:").split(",")]


def _sources(arches: Sequence[str], suite: str) -> str:
    """Write apt's sources: the archive that this host uses, for other architectures."""
    keyring = next(
        path for name in KEYRINGS if (path := Path("/usr/share/keyrings", name)).exists()
    )
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    sites = [site for site in listed if "security" not in site]
    if not sites:
        raise RuntimeError("apt has no sources here: add one and run `apt-get update`")
    mirror = sites[0].rstrip("/").removesuffix("/debian")
    options = f"[arch={','.join(arches)} signed-by={keyring}]"
    main = f"deb {options} {mirror}/debian {suite} main\n"
    if suite != SUITE:  # old suites have no updates any more, the newest has none yet
        return main
    return (
        f"{main}deb {options} {mirror}/debian {suite}-updates main\n"
        f"deb {options} {mirror}/debian-security {suite}-security main\n"
    )


def unpack(packages: Sequence[Path], root: Path) -> None:
    """Unpack packages below root, where /bin, /sbin and /lib are links into /usr."""
    shutil.rmtree(root, ignore_errors=True)
    for name in ("bin", "sbin", "lib"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for package in packages:
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)

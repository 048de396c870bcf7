"""Unpack programs and libraries from Debian packages into a root directory.

Nothing is installed and no maintainer script runs: `apt-get download`, `dpkg-deb --extract`. Of the
dependencies only libraries are taken; those bring what a program needs to run.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

# The dependencies to follow, and those of them that are too large: JIT, tools, modules.
_FOLLOWED = re.compile(r"lib[\w.+-]+|zlib1g|python3\.\d+-minimal|media-types")
_LEFT_OUT = re.compile(r"libllvm.*|libnss3-tools|libpam-.*|libnginx-.*|libc-bin")
_APT = ("-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3")
MERGED = ("bin", "sbin", "lib", "lib64")


def newest(pattern: str) -> str:
    """Return the matching package with the highest number: releases change such names."""
    names = fitting(pattern)
    if not names:  # a machine without package lists
        run("apt-get", *_APT, "update")
        names = fitting(pattern)
    assert names, f"no package {pattern} in the archive"
    return max(names, key=lambda name: [int(part) for part in re.findall(r"\d+", name)])


def fitting(pattern: str) -> list[str]:
    prefix = pattern.partition("[")[0].replace("\\", "")
    found = run("apt-cache", "pkgnames", prefix).split()
    return [name for name in found if re.fullmatch(pattern, name) and candidate(name)]


def candidate(name: str) -> bool:
    """Return whether the archive has the package, not only this machine."""
    return "http" in run("apt-cache", "policy", name)


def closure(names: Iterable[str]) -> list[str]:
    """List the packages and the libraries that they depend on."""
    found: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        new = [name for name in dict.fromkeys(waiting) if name not in found]
        found |= dict.fromkeys(new)
        waiting = [name for name in depends(new) if wanted(name)] if new else []
    return list(found)


def wanted(name: str) -> bool:
    return bool(_FOLLOWED.fullmatch(name)) and not _LEFT_OUT.fullmatch(name)


def depends(names: list[str]) -> list[str]:
    """Return the packages' dependencies; of alternatives, the first."""
    lines = run("apt-cache", "depends", "--important", *names).splitlines()
    found = [line.split("Depends: ") for line in lines if "Depends: " in line]
    return [words[-1].strip() for words in found]


def run(*words: str, cwd: Path | None = None) -> str:
    environment = os.environ | {"LC_ALL": "C"}
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env=environment, cwd=cwd
    )
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def download(names: list[str], folder: Path) -> list[Path]:
    """Fetch the packages' files. The lists of a machine that is not updated name old ones."""
    words = ["apt-get", *_APT, "download", *names]
    if subprocess.run(words, cwd=folder, capture_output=True, check=False).returncode:
        run("apt-get", *_APT, "update")
        run(*words, cwd=folder)
    return sorted(folder.glob("*.deb"))


def name_versions(names: list[str]) -> list[str]:
    """Name the archive's version of a package where this machine's own is of another origin."""
    found = []
    for text in re.split(r"^(?=\S+:$)", run("apt-cache", "policy", *names), flags=re.M)[1:]:
        name, chosen = text.split(":", 1)[0], re.search(r"Candidate: (\S+)", text)
        rows = re.findall(r"^ [ *]{3} (\S+) .*\n((?: {8,}.*\n?)+)", text, flags=re.M)
        archived = [version for version, origins in rows if "http" in origins]
        if archived and chosen and chosen[1] not in archived:
            name = f"{name}={archived[0]}"
        found.append(name)
    return found


def make_root(names: Iterable[str], root: Path, folder: Path) -> Path:
    """Unpack packages and their libraries into `root`; `folder` gets the files."""
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")
    for name in ("proc", "dev", "sys", "tmp", "run", "etc", "var"):
        (root / name).mkdir(exist_ok=True)
    for package in download(name_versions(closure(names)), folder):
        run("dpkg-deb", "--extract", str(package), str(root))
    return root

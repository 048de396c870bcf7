"""Build the Debian package of this tree: `tools/deb.py [--output DIR]`.

Needs DEB_PACKAGES of the Makefile. Builds in a fresh copy of the tracked files, by Debian's own
Python, so that the same commit gives the same bytes.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"  # never a Python of the caller's


def build(output: Path, source: Path = SOURCE) -> Path:
    """Build the package into `output`; return its path. Raises SystemExit on failure."""
    version = read_version(source)
    with tempfile.TemporaryDirectory(prefix="seclatch-deb-") as folder:
        tree = Path(folder) / f"seclatch-{version}"
        copy_tracked_files(source, tree)
        run_build(tree)
        output.mkdir(parents=True, exist_ok=True)
        [made] = Path(folder).glob("seclatch_*.deb")
        return Path(shutil.copy(made, output / made.name))


def read_version(source: Path) -> str:
    """Return the version, which debian/changelog must name as well. Raises SystemExit."""
    module = (source / "src/seclatch/version.py").read_text()
    changelog = (source / "debian/changelog").read_text()
    version = re.search(r'__version__ = "([^"]+)"', module)
    entry = re.match(r"seclatch \(([^)]+)\)", changelog)
    if not version or not entry or version[1] != entry[1]:
        sys.exit("debian/changelog names another version than src/seclatch/version.py")
    return version[1]


def copy_tracked_files(source: Path, target: Path) -> None:
    """Copy what git tracks, and what it would: never a build's leftovers."""
    command = ["git", "-C", source, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (source / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target / name, follow_symlinks=False)


def run_build(tree: Path) -> None:
    """Run dpkg-buildpackage in a tree. Raises SystemExit with the log's end."""
    environment = {"PATH": PATH, "HOME": str(tree.parent), "LC_ALL": "C.UTF-8"}
    environment |= {k: v for k, v in os.environ.items() if k == "SOURCE_DATE_EPOCH"}
    done = subprocess.run(
        ["/usr/bin/dpkg-buildpackage", "--no-sign", "--build=binary"],
        cwd=tree,
        env={**environment, "DEB_BUILD_OPTIONS": "noautodbgsym"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"dpkg-buildpackage: exit status {done.returncode}\n{done.stdout[-3000:]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=SOURCE / "dist")
    print(build(parser.parse_args().output))

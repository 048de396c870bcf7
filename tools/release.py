"""Build a release: sdist, wheels, Debian package, SBOM, checksums.

python -m tools.release [--output DIR] [--rehearse]

Everything is built twice, from fresh clones of the last commit in differently named directories,
and must be equal to the byte. Needs the `dev` and `wheels` dependency groups, and DEB_PACKAGES of
the Makefile. Uploads nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tools import deb, deb12, frozen, sbom, wheels

SOURCE = Path(__file__).resolve().parent.parent
PLATFORMS = ("x86_64", "aarch64")
SUMS = "SHA256SUMS"


def main() -> None:
    """Check the tree, build twice, compare, and put the result into the output directory."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--output", type=Path, default=SOURCE / "dist")
    parser.add_argument("--rehearse", action="store_true", help="build what is not ready, too")
    options = parser.parse_args()
    if problems := [*find_problems(SOURCE), *find_changes(SOURCE)]:
        print("not ready for a release:", *problems, sep="\n", file=sys.stderr)
        if not options.rehearse:
            sys.exit(1)
    commit = read_commit(SOURCE)  # the tree may go on meanwhile
    with tempfile.TemporaryDirectory(prefix="seclatch-release-") as folder:
        first, second = (
            build_all(SOURCE, commit, Path(folder) / name) for name in ("one", "another-directory")
        )
        if different := find_differences(first, second):
            sys.exit(f"two builds of the same commit differ: {', '.join(different)}")
        check_metadata(first)
        for path in move_files(first, options.output):
            print(path)


def find_problems(source: Path) -> list[str]:
    """Return what is not ready: changelogs of another version, or an interface not recorded."""
    version = deb.read_version(source)  # debian/changelog names the same
    changes = (source / "CHANGELOG.md").read_text()
    top = re.search(r"^## (\S+) \((.*)\)$", changes, re.MULTILINE)
    problems = []
    if not top or top[1] != version or not re.fullmatch(r"\d{4}-\d\d-\d\d", top[2]):
        problems.append(f"CHANGELOG.md: the first section is not `## {version} (YYYY-MM-DD)`")
    new = frozen.find_missing(frozen.read_interface(), frozen.read_table())
    return problems + [f"tools/frozen.py has not recorded: {line}" for line in new]


def find_changes(source: Path) -> list[str]:
    """Return the files that are not as they were committed."""
    command = ["/usr/bin/git", "-C", source, "status", "--porcelain"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [f"not committed: {line}" for line in done.stdout.splitlines()]


def read_commit(source: Path) -> str:
    """Return the present commit's name."""
    command = ["/usr/bin/git", "-C", source, "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def make_clone(source: Path, commit: str, clone: Path) -> None:
    """Clone a repository at a commit."""
    subprocess.run(["/usr/bin/git", "clone", "-q", "--shared", source, clone], check=True)
    subprocess.run(["/usr/bin/git", "-C", clone, "checkout", "-q", "--detach", commit], check=True)


def build_all(source: Path, commit: str, folder: Path) -> Path:
    """Build everything from a fresh clone; return the directory of the results."""
    clone, made = folder / "source", folder / "made"
    made.mkdir(parents=True)
    make_clone(source, commit, clone)
    build_sdist(clone, made)
    for platform in PLATFORMS:
        wheels.build(platform, made, clone)
    deb.build(made, clone)
    deb12.build(made, clone)
    epoch = int(wheels.committed(clone))
    name = f"seclatch-{deb.read_version(clone)}.cdx.json"
    (made / name).write_text(sbom.write_sbom(clone, sorted(made.iterdir()), epoch))
    write_sums(made)
    return made


def build_sdist(source: Path, output: Path) -> None:
    """Build the source archive by the backend of pyproject.toml, without isolation."""
    code = "import sys; from scikit_build_core.build import build_sdist; build_sdist(sys.argv[1])"
    environment = os.environ | {"SOURCE_DATE_EPOCH": wheels.committed(source)}
    command = [sys.executable, "-c", code, output]
    subprocess.run(command, cwd=source, env=environment, stdout=sys.stderr, check=True)


def write_sums(folder: Path) -> None:
    """Write checksums that `sha256sum -c` reads."""
    lines = [f"{digest(path)}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / SUMS).write_text("".join(lines))


def digest(path: Path) -> str:
    """Return a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def find_differences(one: Path, other: Path) -> list[str]:
    """Return the names of files that only one directory has, or whose contents differ."""
    left, right = ({path.name: digest(path) for path in each.iterdir()} for each in (one, other))
    return sorted(name for name in left | right if left.get(name) != right.get(name))


def check_metadata(folder: Path) -> None:
    """Have twine check what the package index would refuse."""
    files = [*folder.glob("*.whl"), *folder.glob("*.tar.gz")]
    command = [sys.executable, "-m", "twine", "check", "--strict", *files]
    subprocess.run(command, stdout=sys.stderr, check=True)


def move_files(folder: Path, output: Path) -> Iterable[Path]:
    """Put the files in place, the checksums last; yield their paths."""
    output.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.iterdir(), key=lambda path: (path.name == SUMS, path.name)):
        part = output / f".{path.name}.part"
        part.write_bytes(path.read_bytes())
        yield part.rename(output / path.name)


if __name__ == "__main__":
    main()

"""Pack the project's part of the guest for each run: wheels, tests, target programs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

from tests.arm64 import archive, programs
from tests.arm64.kept import keep

PROJECT = Path(__file__).parents[2]
PYTHON = "3.13"  # the guest's version, for which wheels are fetched
TOOLS = ("pip", "pytest", "pytest-rerunfailures", "pytest-timeout", "hypothesis", "jsonschema")


def make_project(folder: Path, overlay: Path, wheel: Path, profiles: Path | None = None) -> Path:
    """Pack it as an initramfs of its own; `profiles` are the ported ones."""
    root = folder / "project"
    shutil.rmtree(root, ignore_errors=True)
    guest = root / "guest"
    guest.mkdir(parents=True)
    here = Path(__file__).parent
    shutil.copy(here / "guest/init", root / "init")
    shutil.copy(here / "guest/main.sh", guest)
    shutil.copy(overlay, guest)
    sources = guest / "seclatch"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "tests", sources / "tests", ignore=ignored)
    shutil.copy(PROJECT / "pyproject.toml", sources)
    targets = keep(folder, "targets", programs.sources(), programs.build)
    shutil.copytree(targets, guest / "programs")
    if profiles:
        shutil.copytree(profiles, guest / "ported")
    needed = dependencies()
    wheels = keep(folder, "wheels", f"{PYTHON} {needed}", partial(fetch_wheels, needed))
    shutil.copytree(wheels, guest / "wheels")
    shutil.copy(wheel, guest / "wheels")
    shutil.copytree(keep(folder, "tools", f"{PYTHON} {TOOLS}", unpack_tools), guest / "tools")
    target = folder / "project.cpio"
    archive.write(root, target)
    return target


def dependencies() -> list[str]:
    """List the package's dependencies as arguments of pip."""
    words = [sys.executable, PROJECT / "tools/dev-requirements.py", "--dependencies"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()


def fetch_wheels(names: list[str], folder: Path) -> None:
    """Fetch packages built for arm64."""
    pip("download", "-d", folder, *names)


def unpack_tools(folder: Path) -> None:
    """Unpack pip and the tests' dependencies, compiled as the guest's Python does it."""
    pip("install", "--target", folder, "--no-compile", *TOOLS)
    if compiler := shutil.which(f"python{PYTHON}"):
        words = ["-m", "compileall", "-q", "-j0", "--invalidation-mode", "unchecked-hash"]
        subprocess.run([compiler, *words, folder], check=True)


def pip(command: str, *words: str | Path) -> None:
    """Run pip for arm64's Python."""
    platforms = ["--platform=manylinux2014_aarch64", "--platform=manylinux_2_28_aarch64"]
    options = ["-q", "--disable-pip-version-check", "--only-binary=:all:"]
    version = ["--python-version", PYTHON]
    whole = [sys.executable, "-m", "pip", command, *options, *version, *platforms, *words]
    subprocess.run(whole, check=True)

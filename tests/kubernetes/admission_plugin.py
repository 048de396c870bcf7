"""Build `admission/`: kube-apiserver's own plugin for admission policies, from Debian's packages.

Debian has no kube-apiserver of a version with ValidatingAdmissionPolicy, but its newest suite has
the library that kube-apiserver takes the plugin from, k8s.io/apiserver, with all that it imports.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from functools import partial
from pathlib import Path

from tests.arm64.kept import keep
from tests.arm64.packages import Apt, unpack

LIBRARIES = ("golang-k8s-apiserver-dev", "golang-k8s-client-go-dev")
COMPILER = "golang-go"
SOURCES = Path(__file__).parent / "admission"


def make_admission(folder: Path, apt: Apt) -> Path:
    """Return a directory with the program `admission`; three minutes of CPU, once."""
    packages = [path for path in apt.closure([*LIBRARIES, COMPILER]) if is_go(path)]
    sources = sorted(SOURCES.glob("*.go"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    key = " ".join([digest, *(path.name for path in packages)])
    return keep(folder, "admission", key, partial(build, packages, sources))


def is_go(package: Path) -> bool:
    """Return whether a package is Go's compiler or a library of it, in source."""
    return package.name.startswith("golang-")


def build(packages: list[Path], sources: list[Path], target: Path) -> None:
    """Compile the program into `target`, and remove all else from it."""
    print("building the plugin for admission policies", flush=True)
    root, own = target / "root", target / "own/src/admission"
    unpack(packages, root)
    own.mkdir(parents=True)
    for path in sources:
        shutil.copy(path, own)
    [compiler] = (root / "usr/lib").glob("go-*/bin/go")
    environment = {
        **os.environ,
        "GOROOT": str(compiler.parents[1]),
        "GOPATH": f"{target / 'own'}:{root / 'usr/share/gocode'}",
        "GOCACHE": str(target / "own/cache"),
        "GO111MODULE": "off",
        "CGO_ENABLED": "0",
    }
    words = [compiler, "build", "-ldflags", "-s -w", "-o", target / "admission", "admission"]
    subprocess.run(words, cwd=own, env=environment, check=True)
    for each in ("root", "own"):
        shutil.rmtree(target / each)

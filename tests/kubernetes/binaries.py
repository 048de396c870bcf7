"""Build Kubernetes' programs from Debian's source package: the archive has no binaries of them.

Debian 12 is the last suite whose source package has all of Kubernetes (1.20.2, with its vendored
modules); later ones have kubectl alone. About ten minutes on 2 cores, once.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.arm64.kept import keep
from tests.arm64.packages import Apt, unpack
from tests.kubernetes.admission_plugin import make_admission

SUITE = "bookworm"
SOURCE = "kubernetes"
VERSION = {"gitVersion": "v1.20.2", "gitMajor": "1", "gitMinor": "20"}
COMPILER = ("golang-1.19-go", "golang-1.19-src")
PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
PACKAGED = ("etcd-server", "kubectl", "containernetworking-plugins")
NEWEST = "sid"
KUBECTLS = {SUITE: "kubernetes-client", NEWEST: "kubectl"}
"""Packages with an older and a newer kubectl than that of PACKAGED: `kubectl-SUITE`."""

BUILD = "1"  # counted up when what is built changes

_MODULE = "k8s.io/kubernetes"
_OPENAPI = "zz_generated.openapi"
_EXAMPLES = re.compile("code-generator|sample-apiserver|apiserver/pkg/apis/example")


def make_binaries(folder: Path) -> Path:
    """Return a directory with PROGRAMS, etcd, kubectl and, in cni/, network plugins."""
    old = Apt(folder / f"apt-{SUITE}", ("amd64",), SUITE, with_sources=True)
    old.update()
    compiler = [old.single(name) for name in COMPILER]
    source = old.source(SOURCE)
    key = " ".join([BUILD, source.name, *(path.name for path in compiler)])
    built = keep(folder, "built", key, partial(build, source, compiler))
    new = Apt(folder / "apt", ("amd64",))
    new.update()
    packaged = [new.single(name) for name in PACKAGED]
    newest = Apt(folder / f"apt-{NEWEST}", ("amd64",), NEWEST)
    newest.update()
    kubectls = {
        suite: apt.single(KUBECTLS[suite]) for suite, apt in ((SUITE, old), (NEWEST, newest))
    }
    plugin = make_admission(folder, newest)
    files = [*packaged, *kubectls.values(), plugin]
    key = " ".join([built.name, *(path.name for path in files)])
    return keep(folder, "binaries", key, partial(_collect, built, plugin, packaged, kubectls))


def build(source: Path, compiler: list[Path], target: Path) -> None:
    """Compile the programs into `target`, and remove all else from it."""
    tree = SourceTree(target / "root/usr/lib/go-1.19/bin/go", target / "go")
    unpack(compiler, target / "root")
    tree.path.mkdir(parents=True)
    subprocess.run(["tar", "-xf", source, "-C", tree.path, "--strip-components=1"], check=True)
    tree.generate_openapi()
    for program in PROGRAMS:
        print(f"building {program} {VERSION['gitVersion']}", flush=True)
        tree.compile(f"./cmd/{program}", target / program)
    for each in ("root", "go"):
        shutil.rmtree(target / each)


@dataclass(frozen=True)
class SourceTree:
    """The unpacked source, below a GOPATH: its vendored modules are used as they are."""

    go: Path
    gopath: Path
    path: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", self.gopath / "src" / _MODULE)

    def run(self, *words: str | Path) -> None:
        """Run a program in the tree."""
        environment = {
            **os.environ,
            "GOROOT": str(self.go.parents[1]),
            "GOPATH": str(self.gopath),
            "GOCACHE": str(self.gopath / "cache"),
            "GO111MODULE": "off",
            "CGO_ENABLED": "0",
        }
        subprocess.run(words, cwd=self.path, env=environment, check=True)

    def compile(self, package: str, target: Path) -> None:
        """Compile a program."""
        place = f"{_MODULE}/vendor/k8s.io/component-base/version"
        values = " ".join(f"-X {place}.{name}={value}" for name, value in VERSION.items())
        self.run(self.go, "build", "-ldflags", f"-s -w {values}", "-o", target, package)

    def generate_openapi(self) -> None:
        """Generate the description of the API, which a source package does not have."""
        tool = self.gopath / "openapi-gen"
        self.compile("./vendor/k8s.io/kube-openapi/cmd/openapi-gen", tool)
        words = ["grep", "-rl", "+k8s:openapi-gen=", "--include=*.go", "pkg/apis", "staging/src"]
        done = subprocess.run(words, cwd=self.path, stdout=subprocess.PIPE, text=True, check=True)
        marked = {str(Path(name).parent) for name in done.stdout.split()}
        folders = sorted(name for name in marked if not _EXAMPLES.search(name))
        inputs = [f"{_MODULE}/{name.replace('staging/src', 'vendor')}" for name in folders]
        output = ["-p", f"{_MODULE}/pkg/generated/openapi", "-O", _OPENAPI]
        header = ["-h", "hack/boilerplate/boilerplate.generatego.txt", "-r", "/dev/null"]
        place = ["--output-base", self.gopath / "src"]
        self.run(tool, "-i", ",".join(inputs), *output, *header, *place)


def _collect(
    built: Path, plugin: Path, packaged: list[Path], kubectls: dict[str, Path], target: Path
) -> None:
    root = target / "root"
    shutil.copy(plugin / "admission", target)
    for suite, package in kubectls.items():
        unpack([package], root)
        shutil.copy(root / "usr/bin/kubectl", target / f"kubectl-{suite}")
    unpack(packaged, root)
    for program in PROGRAMS:
        shutil.copy(built / program, target)
    for program in ("etcd", "kubectl"):
        shutil.copy(root / "usr/bin" / program, target)
    shutil.copytree(root / "usr/lib/cni", target / "cni")
    shutil.rmtree(root)

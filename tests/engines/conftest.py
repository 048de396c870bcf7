"""Real engines for tests: one private host for the session, each engine started on first use."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from seclatch.errors import SeclatchError
from seclatch.runtime.find_latch import find_latch
from tests.conftest import Compiler
from tests.engines.containerd import Containerd
from tests.engines.docker import Docker
from tests.engines.engine import Engine
from tests.engines.host import ENVIRONMENT, PrivateHost, missing_programs
from tests.engines.image import make_archive, make_rootfs
from tests.engines.installing import Administrator
from tests.engines.podman import Podman

NATIVE = Path(__file__).parents[2] / "native"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests here: they start engines as root."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.engine)
            item.add_marker(pytest.mark.root)
            if os.geteuid():
                item.add_marker(pytest.mark.skip(reason="engines and the latch need root"))


@pytest.fixture(scope="session")
def host() -> Iterator[PrivateHost]:
    """Provide the private host in which the session's engines run."""
    host = PrivateHost().start()
    yield host
    host.close()


@pytest.fixture(scope="session")
def image_root(tmp_path_factory: pytest.TempPathFactory, compiler: Compiler) -> Path:
    """Make the image's root directory: busybox, and programs that report the filter on them."""
    programs = {
        name: compiler(name) for name in ("attach", "exit42", "first_denied", "notify_ready")
    }
    return make_rootfs(tmp_path_factory.mktemp("image") / "rootfs", programs)


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory, image_root: Path) -> Path:
    """Make the image's archive, which every engine of the session loads."""
    return make_archive(image_root, tmp_path_factory.mktemp("archive") / "image.tar")


@pytest.fixture(scope="session")
def latch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Find the installed latch, or build it from native/ as its CMakeLists.txt does."""
    try:
        return find_latch("runc")
    except SeclatchError:
        target = tmp_path_factory.mktemp("latch") / "seclatch-runc"
        sources = sorted(NATIVE.glob("*.c"))
        compiler = ["gcc", "-O2", "-std=c11", "-static", "-D_GNU_SOURCE"]
        subprocess.run([*compiler, "-o", target, *sources], check=True)
        return target


@pytest.fixture(scope="session")
def runtimes(tmp_path_factory: pytest.TempPathFactory, latch: Path) -> Mapping[str, Path]:
    """Map names to the programs that engines register: runc, crun, latched-runc, latched-crun."""
    directory = tmp_path_factory.mktemp("fronts")
    found: dict[str, Path] = {}
    for name in ("runc", "crun"):
        program = shutil.which(name, path=ENVIRONMENT["PATH"])
        if program:
            found[name] = Path(program)
            found[f"latched-{name}"] = make_front(directory / name, name, latch, program)
    return found


def make_front(directory: Path, name: str, latch: Path, program: str) -> Path:
    """Put a latch in a directory of its own, under the runtime's name, as `install` does."""
    directory.mkdir()
    front = directory / name
    shutil.copy(latch, front)
    front.with_name(f"{name}.runtime").symlink_to(program)
    return front


def require(*programs: str) -> None:
    """Skip, with the reason, when an engine is not installed; in CI that is a failure."""
    if missing := missing_programs(programs):
        reason = f"not installed: {', '.join(missing)}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture(scope="session")
def docker(
    host: PrivateHost,
    runtimes: Mapping[str, Path],
    image: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Docker]:
    """Start a dockerd at which each of `runtimes` is registered by name."""
    require(*Docker.programs)
    docker = Docker(host, runtimes).begin(tmp_path_factory.mktemp("docker") / "log")
    docker.load(image)
    yield docker
    docker.stop()


@pytest.fixture(scope="session")
def podman(host: PrivateHost, runtimes: Mapping[str, Path], image: Path) -> Iterator[Podman]:
    """Provide Podman with private storage."""
    require(*Podman.programs)
    podman = Podman(host, runtimes)
    podman.load(image)
    yield podman
    podman.stop()


@pytest.fixture(scope="session")
def containerd(
    host: PrivateHost,
    runtimes: Mapping[str, Path],
    image: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Containerd]:
    """Start a containerd for ctr."""
    require(*Containerd.programs)
    containerd = Containerd(host, runtimes).begin(tmp_path_factory.mktemp("containerd") / "log")
    containerd.load(image)
    yield containerd
    containerd.stop()


@pytest.fixture(params=["docker", "podman", "containerd"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Run the test for each engine, and remove the containers that it leaves."""
    engine: Engine = request.getfixturevalue(request.param)
    yield engine
    engine.clear()


@pytest.fixture(params=["runc", "crun"])
def runtime(request: pytest.FixtureRequest, runtimes: Mapping[str, Path]) -> str:
    """Name the bare runtime; the prefix `latched-` selects the latch."""
    if request.param not in runtimes:
        require(request.param)
    return str(request.param)


@pytest.fixture
def own_host() -> Iterator[PrivateHost]:
    """Provide a private host for one test, which may change its /etc."""
    host = PrivateHost().start()
    yield host
    host.close()


@pytest.fixture
def seclatch(own_host: PrivateHost, tmp_path: Path, latch: Path) -> Administrator:
    """Provide the command, run as root inside `own_host`."""
    latches = tmp_path / "scripts"
    latches.mkdir()
    for name in ("seclatch-runc", "seclatch-crun"):
        shutil.copy(latch, latches / name)
    return Administrator(own_host, latches)

"""`seclatch run` as a user calls it, on the real runtimes."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ENTRY = [sys.executable, "-c", "from seclatch.cli.main import main; main()", "run"]
PROFILES = Path(__file__).parent.parent / "data"
STATES = [Path("/run/runc"), Path("/run/crun")]

# exit_group(42) and nothing else, from the first instruction: no libc, no start files.
EXIT_42 = {
    "x86_64": "mov $231, %eax; mov $42, %edi; syscall",
    "aarch64": "mov x8, #94; mov x0, #42; svc #0",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.root)


@pytest.fixture(params=["runc", "crun"])
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def argv(runtime: str) -> Callable[..., list[str]]:
    """Provide argv(ARG...): the command line of `seclatch run` with this runtime."""
    return lambda *arguments: [*ENTRY, "--runtime", runtime, *map(str, arguments)]


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(argv: Callable[..., list[str]]) -> Run:
    """Provide run(ARG..., OPTION=…): call it to the end, as subprocess.run with text does."""

    def call(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True} | options
        return subprocess.run(argv(*arguments), timeout=120, check=False, **options)

    return call


@pytest.fixture(scope="session")
def exit_42(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a rootfs with nothing but /exit42."""
    root = tmp_path_factory.mktemp("exit42")
    source = root / "exit42.s"
    source.write_text(
        f".globl _start\n_start: {EXIT_42[platform.machine()]}\n"
        '.section .note.GNU-stack,"",%progbits\n'
    )
    subprocess.run(["cc", "-nostdlib", "-static", "-o", root / "exit42", source], check=True)
    source.unlink()
    root.chmod(0o755)  # the container's / has this mode, also for its users
    return root


@pytest.fixture
def own_name(request: pytest.FixtureRequest) -> str:
    """Make a container id that identifies this test's files among others on the machine."""
    return f"test-{os.getpid()}-{abs(hash(request.node.nodeid)) % 10**8}"


def left_behind(name: str) -> set[str]:
    """List what a run of the container `name` could leave on the host."""
    found = {str(path) for path in Path("/run").glob(f"seclatch-{name}-*")}
    found |= {str(state / name) for state in STATES if (state / name).exists()}
    groups = os.walk("/sys/fs/cgroup")  # Path.glob fails if one is removed meanwhile
    found |= {f"{above}/{name}" for above, folders, _ in groups if name in folders}
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return found | {line for line in mounts if name in line}

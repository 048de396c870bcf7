"""Fixtures for all tests: compiled target programs; skips without privileges give the reason."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.examples import examples

pytest_plugins = ["tests.chance", "tests.values", "tests.distribution", "tests.sweep.summary"]

TESTS = Path(__file__).parent
PROGRAMS = TESTS / "programs"

# Programs under test inherit ignored signals (signal(7)): a shell ignores SIGINT and SIGQUIT for
# commands that it starts with `&`, nohup(1) ignores SIGHUP, and tests of signals would wait for
# ever.
for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(
            _number,
            signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL,
        )

# Of the service that the tests may run in: a runtime hands them on to containers, and `explain`
# repeats no command then.
for _name in ("NOTIFY_SOCKET", "LISTEN_FDS", "WATCHDOG_USEC", "RUN_OCI_SECCOMP_RECEIVER"):
    os.environ.pop(_name, None)

# A busy machine is no failure. CI tries the same examples each time, so that a failure is caused by
# the change; other runs look for new ones, and `make check` tries few.
settings.register_profile(
    "seclatch",
    deadline=None,
    max_examples=examples(100),
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("seclatch")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests that need root, with the reason; in CI that is a failure."""
    if os.geteuid() == 0 or os.environ.get("CI"):
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root: suspending seccomp does"))


class Compiler:
    """Compiles tests/programs/NAME.c once, statically: containers have no libraries.

    Without a compiler (tests/arm64), SECLATCH_PROGRAMS is a directory of compiled ones.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(self, name: str, *flags: str) -> Path:
        program = Path(os.environ.get("SECLATCH_PROGRAMS", self.directory)) / name
        if not program.exists():
            source = PROGRAMS / f"{name}.c"
            bare = ["-nostdlib"] if "_start:" in source.read_text() else ["-pthread"]
            command = ["gcc", "-O1", "-static", "-Wall", "-Wextra", "-Werror", *bare, *flags]
            subprocess.run([*command, "-o", program, source], check=True)
        return program


@pytest.fixture(scope="session")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Compiler:
    return Compiler(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="session")
def rootfs(compiler: Compiler) -> Iterator[Path]:
    """Make a root directory with busybox and the target programs.

    Not below pytest's own directory: containers in user namespaces must be able to reach it.
    """
    with tempfile.TemporaryDirectory(prefix="seclatch-rootfs-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        fill_rootfs(root, compiler)
        yield root


def fill_rootfs(root: Path, compiler: Compiler) -> None:
    for folder in ("bin", "proc", "dev", "tmp", "etc", "sys"):
        (root / folder).mkdir()
    shutil.copy("/usr/bin/busybox", root / "bin/busybox")
    for applet in ("sh", "true", "cat", "grep", "sleep", "mkdir", "id", "touch", "kill", "ls"):
        (root / "bin" / applet).symlink_to("busybox")
    for program in ("exit0", "exit42", "first_denied", "whoami"):
        shutil.copy(compiler(program), root / "bin" / program)
    shutil.copy(root / "bin/whoami", root / "bin/suid")
    (root / "bin/suid").chmod(0o4755)
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n")

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.latch.oci import Bundle, Runtime, make_bundle, tracers, wait_until


@pytest.fixture(params=["runc", "crun"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def plain(name: str) -> Runtime:
    return Runtime(name, latched=False)


@pytest.fixture
def latched(name: str) -> Runtime:
    return Runtime(name)


# Modules whose tests must pass both with suspended seccomp and with the gate.
_BY_EACH_METHOD = {"test_boot", "test_hooks", "test_users"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__.rpartition(".")[2] in _BY_EACH_METHOD:
        metafunc.fixturenames.append("mode")
        metafunc.parametrize("mode", ["suspend", "gate"], indirect=True)


@pytest.fixture
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECLATCH_MODE", request.param)


@pytest.fixture(params=[False, True], ids=["privs", "no_new_privs"])
def no_new_privileges(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def bundle(tmp_path: Path, rootfs: Path) -> Callable[..., Bundle]:
    """Provide bundle(ARGS, seccomp=…, no_new_privileges=…), which makes a new bundle."""
    number = itertools.count()

    def make(args: list[str], **options: Any) -> Bundle:
        return make_bundle(tmp_path / f"bundle{next(number)}", rootfs, args, **options)

    return make


@pytest.fixture(autouse=True)
def no_tracer_left() -> Iterator[None]:
    """Check that no tracer of the test is left afterwards."""
    before = tracers()
    yield
    wait_until(lambda: not tracers() - before, "the tracers to end")


@pytest.fixture(autouse=True)
def bundle_in_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a default bundle into the working directory: the front reads `./config.json`."""
    (tmp_path / "config.json").write_text('{"hooks": {"startContainer": []}}')
    monkeypatch.chdir(tmp_path)

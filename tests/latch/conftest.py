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


# What is to hold however the profile is kept off the runtime.
_BY_EACH_ROAD = {"test_boot", "test_hooks", "test_users"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__.rpartition(".")[2] in _BY_EACH_ROAD:
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
    """bundle(ARGS, seccomp=…, no_new_privileges=…): a new bundle each."""
    number = itertools.count()

    def make(args: list[str], **options: Any) -> Bundle:
        return make_bundle(tmp_path / f"bundle{next(number)}", rootfs, args, **options)

    return make


@pytest.fixture(autouse=True)
def no_tracer_left() -> Iterator[None]:
    """Whatever a test did, no tracer of it outlives it."""
    before = tracers()
    yield
    wait_until(lambda: not tracers() - before, "the tracers to end")


@pytest.fixture(autouse=True)
def bundle_in_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-in runtimes need no bundle, but the front looks into it: the default one is `.`."""
    (tmp_path / "config.json").write_text('{"hooks": {"startContainer": []}}')
    monkeypatch.chdir(tmp_path)

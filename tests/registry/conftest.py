"""A real registry on loopback, keys, and the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from seclatch.data import DATA
from tests.registry.docker_registry import DockerRegistry, start_registry

Seclatch = Callable[..., "subprocess.CompletedProcess[str]"]

ALLOWED = ["read", "write", "exit_group"]


def make_profile(allowed: list[str], **more: object) -> dict[str, object]:
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"names": allowed, "action": "SCMP_ACT_ALLOW"}],
        **more,
    }


def read_valid(text: str, schema: str) -> dict[str, Any]:
    """Read the output of a command that has a published schema."""
    document: dict[str, Any] = json.loads(text)
    jsonschema.validate(document, json.loads((DATA / "schemas" / f"{schema}.json").read_text()))
    return document


@dataclass(frozen=True)
class KeyPair:
    private: Path
    public: Path


def make_keys(folder: Path, name: str) -> KeyPair:
    pair = KeyPair(folder / f"{name}.pem", folder / f"{name}.pub")
    curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subprocess.run(["openssl", "genpkey", *curve, "-out", pair.private], check=True)
    public = ["openssl", "pkey", "-in", pair.private, "-pubout", "-out", pair.public]
    subprocess.run(public, check=True)
    return pair


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    found = start_registry(tmp_path_factory.mktemp("registry"))
    yield found
    found.stop()


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return make_keys(tmp_path_factory.mktemp("keys"), "ours")


@pytest.fixture(scope="session")
def other_keys(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return make_keys(tmp_path_factory.mktemp("keys"), "other")


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    file = tmp_path / "web.json"
    file.write_text(json.dumps(make_profile(ALLOWED)))
    return file


@pytest.fixture
def seclatch(tmp_path: Path) -> Seclatch:
    """Run a command; HOME has no credentials of the user."""
    (tmp_path / "home").mkdir()

    def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "seclatch", *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "HOME": str(tmp_path / "home"), **environment},
        )
        assert "Traceback" not in done.stderr and "internal error" not in done.stderr, done.stderr
        assert done.stderr.isprintable() or set(done.stderr) - {"\n"} <= set(
            filter(str.isprintable, done.stderr)
        )
        return done

    return run

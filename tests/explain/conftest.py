"""Run `seclatch explain` on real runtimes, and check its JSON against its schema."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.conftest import Compiler
from tests.explain.corpus import make_rootfs
from tests.latch.conftest import (  # noqa: F401 (fixtures)
    bundle,
    latched,
    name,
    no_new_privileges,
    plain,
)
from tests.latch.oci import SCRIPTS

SECLATCH = str(SCRIPTS / "seclatch")
SCHEMA = json.loads(
    resources.files("seclatch.data").joinpath("schemas/explain-1.json").read_bytes()
)


@dataclass
class Explained:
    """A command's result and its explanation."""

    done: subprocess.CompletedProcess[str]
    document: dict[str, Any]

    @property
    def seccomp(self) -> bool | None:
        return self.document["seccomp"]

    @property
    def cause(self) -> str:
        return str(self.document["cause"])

    def fatal(self) -> list[tuple[str, str]]:
        """Return stage and call of the denials that ended a process."""
        return [(one["stage"], one["syscall"]) for one in self.document["denials"] if one["fatal"]]

    def needs(self) -> set[str]:
        return {one["syscall"] for one in self.document["needs"]["calls"]}

    def remedy(self, kind: str) -> dict[str, Any]:
        return next(one for one in self.document["remedies"] if one["kind"] == kind)


Explain = Callable[..., Explained]


@pytest.fixture
def explain(tmp_path: Path) -> Explain:
    """Provide explain(WORDS, timeout=…): run it under `seclatch explain --json`."""

    def run(words: Sequence[Any], *, timeout: float = 60, **options: Any) -> Explained:
        file = tmp_path / "explanation.json"
        command = [SECLATCH, "explain", "--confirm", "never", "--json", "-o", str(file), "--"]
        command += map(str, words)
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            **{"stdin": subprocess.DEVNULL, **options},
        )
        assert file.exists(), done.stderr
        document = json.loads(file.read_text())
        jsonschema.validate(document, SCHEMA)
        assert document["status"] == done.returncode
        assert document["incomplete"] == 0
        return Explained(done, document)

    return run


@pytest.fixture(scope="session")
def broken_rootfs(tmp_path_factory: pytest.TempPathFactory, compiler: Compiler) -> Path:
    return make_rootfs(tmp_path_factory.mktemp("broken"), compiler)

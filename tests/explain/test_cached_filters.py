"""crun loads an earlier profile's filter where only errnos differ: reported, with the remedy."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.explain.conftest import Explain
from tests.explain.corpus import denying
from tests.latch.oci import Bundle, Runtime

pytestmark = pytest.mark.root
Make = Callable[..., Bundle]
PROGRAM = ["/bin/mkdir", "/tmp/x"]


def words(made: Bundle, state: Path, name: str) -> list[str]:
    """Run with a new state directory, below which the cache is."""
    options = ("--root", str(state))
    return Runtime(name, latched=False, options=options).argv("run", "--bundle", made.path, made.id)


def find_errno(document: dict[str, Any]) -> tuple[str, str, bool]:
    [denial] = document["denials"]
    first = document["remedies"][0]
    return denial["errno"], denial["action"], first["command"][:2] == ["rm", "-r"]


@pytest.mark.parametrize("name", ["runc", "crun"])
def test_a_changed_errno(explain: Explain, bundle: Make, tmp_path: Path, name: str) -> None:
    state = tmp_path / "state"
    before = bundle(PROGRAM, seccomp=denying("mkdir", errnoRet=95))
    assert find_errno(explain(words(before, state, name)).document) == (
        "EOPNOTSUPP",
        "SCMP_ACT_ERRNO(95)",
        False,
    )
    made = bundle(PROGRAM, seccomp=denying("mkdir", errnoRet=38))
    done = explain(words(made, state, name))
    assert (done.seccomp, done.cause) == (True, "program-denied"), done.document
    if name == "runc":
        assert find_errno(done.document) == ("ENOSYS", "SCMP_ACT_ERRNO(38)", False)
        return
    assert find_errno(done.document) == ("EOPNOTSUPP", "SCMP_ACT_ERRNO(38)", True), done.document
    assert "which says ENOSYS" in done.document["denials"][0]["rule"]["text"]
    remedy = shlex.join(done.document["remedies"][0]["command"])
    assert remedy == f"rm -r {state}/.cache/seccomp"
    subprocess.run(remedy, shell=True, check=True)
    again = explain(words(made, state, name)).document
    assert find_errno(again) == ("ENOSYS", "SCMP_ACT_ERRNO(38)", False)

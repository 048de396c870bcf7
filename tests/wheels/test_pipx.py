"""Install the wheel in a bare Debian without a compiler, by pipx; paste the hint for `scan`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.door.bare_root import BareRoot

WHEELS = Path(os.environ.get("SECLATCH_WHEELS", "none"))

PACKAGES = "pipx runc busybox-static"
SCAN = "seclatch scan --entrypoint /usr/bin/true /"


@pytest.fixture
def bare_root() -> Iterator[BareRoot]:
    (wheel,) = WHEELS.glob("*x86_64.whl")
    root = BareRoot(os.environ.get("SECLATCH_SUITES", "trixie").split()[0], [wheel])
    try:
        yield root.start()
    finally:
        root.close()


def must(root: BareRoot, command: str, status: int = 0) -> str:
    done = root.paste(command)
    assert done.status == status, f"{command}\n{done.output}"
    return done.output


@pytest.mark.root
@pytest.mark.timeout(600)
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="installs the x86-64 wheel")
def test_the_wheel_and_the_hint(bare_root: BareRoot) -> None:
    must(bare_root, "apt-get update")
    must(bare_root, f"apt-get install -y --no-install-recommends {PACKAGES}")
    must(bare_root, "command -v gcc", status=1)
    must(bare_root, "export PIPX_HOME=/opt/pipx PIPX_BIN_DIR=/usr/local/bin")
    must(bare_root, "pipx install seclatch-*.whl")
    must(bare_root, "unset PIPX_HOME PIPX_BIN_DIR")
    assert "ok    a latched container (runc)" in must(bare_root, "seclatch doctor")
    refused = must(bare_root, SCAN, status=125)
    _, _, hint = refused.partition("what to do: ")
    assert hint.strip().startswith("PIPX_HOME=/opt/pipx pipx inject seclatch ")
    must(bare_root, hint.strip())
    assert "whole" in must(bare_root, SCAN)

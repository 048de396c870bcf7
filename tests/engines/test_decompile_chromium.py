"""The filter of a live Chromium's renderers, decompiled and compiled again.

With Debian's chromium, or the one that SECLATCH_CHROMIUM names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from seclatch.filter.classic_bpf.decode import decode_filter
from seclatch.model.action import ActionKind
from seclatch.model.arch import Arch
from seclatch.system.read_filters import read_filters
from tests.oracle import round_trip

CHROMIUM = os.environ.get("SECLATCH_CHROMIUM") or shutil.which("chromium")
NOBODY = 65534

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not CHROMIUM and not os.environ.get("CI"), reason="no chromium here"),
]


def descendants(pid: int) -> Iterator[int]:
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            yield child
            yield from descendants(child)


def renderer_filters(pid: int) -> list[bytes]:
    """Return the filters of the first renderer that has any; [] while there is none."""
    for child in descendants(pid):
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes()
            status = Path(f"/proc/{child}/status").read_text()
        except OSError:
            continue  # exited meanwhile
        if b"--type=renderer" in command and "Seccomp:\t2" in status:
            return read_filters(child)
    return []


@pytest.fixture(scope="module")
def program() -> Iterator[bytes]:
    # As user nobody: Chromium does not use its sandbox as root.
    with tempfile.TemporaryDirectory(
        prefix="seclatch-chromium-", ignore_cleanup_errors=True
    ) as home:
        os.chown(home, NOBODY, NOBODY)
        options = [
            "--headless",
            "--disable-gpu",
            f"--user-data-dir={home}/data",
            "--remote-debugging-port=0",
        ]
        with subprocess.Popen(
            [str(CHROMIUM), *options, "about:blank"],
            env=os.environ | {"HOME": home},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=NOBODY,
            group=NOBODY,
        ) as browser:
            try:
                while not (found := renderer_filters(browser.pid)):
                    assert browser.poll() is None, "Chromium did not start"
                    time.sleep(0.2)
                yield found[0]
            finally:
                browser.terminate()


def test_chromiums_renderer_filter(program: bytes) -> None:
    found = round_trip(decode_filter(program, "chromium"), Arch.X86_64)
    own = found.profiles[0]
    assert own.architectures == (Arch.X86_64,)
    assert own.default.kind is ActionKind.TRAP
    assert any("the data of a trap cannot be expressed" in one.reason for one in found.kept)
    assert any("read" in rule.names and not rule.args for rule in own.rules)

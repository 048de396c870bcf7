from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Compiler
from tests.debian.server import debian_root


@pytest.fixture(scope="session")
def root(compiler: Compiler) -> Iterator[Path]:
    if not shutil.which("apt-get"):
        reason = "takes Debian's archive: no apt-get"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with debian_root() as root:
        shutil.copy(compiler("newest_call"), root / "usr/bin/newest_call")
        yield root

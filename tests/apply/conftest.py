from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from seclatch.apply import loadable
from seclatch.profile.parse.load_profile import parse_profile
from seclatch.runtime.find_latch import find_latch
from tests.conftest import Compiler
from tests.latch.oci import case

NOBODY = 65534
Done = subprocess.CompletedProcess[str]


class Applier:
    """seclatch-apply and programs in a directory that every user can read."""

    def __init__(self, folder: Path, compiler: Compiler) -> None:
        self.folder, self.compiler = folder, compiler
        self.path = Path(shutil.copy(find_latch("apply"), folder / "seclatch-apply"))

    def program(self, name: str, *flags: str) -> Path:
        target = self.folder / name
        if not target.exists():
            shutil.copy(self.compiler(name, *flags), target)
        return target

    def filter(self, profile: dict[str, Any] | str) -> Path:
        """Compile a profile as the command does."""
        value = case(profile) if isinstance(profile, str) else profile
        path = self.folder / f"{abs(hash(json.dumps(value)))}.bpf"
        path.write_bytes(loadable.compile_loadable(parse_profile(json.dumps(value), "test")).code)
        return path

    def argv(
        self,
        profile: dict[str, Any] | str | Path,
        *command: str | Path,
        options: Sequence[str] = (),
    ) -> list[str]:
        chosen = profile if isinstance(profile, Path) else self.filter(profile)
        return [str(self.path), *options, str(chosen), "--", *map(str, command)]

    def __call__(
        self,
        profile: dict[str, Any] | str | Path,
        *command: str | Path,
        outer: Sequence[str | Path] = (),
        options: Sequence[str] = (),
        user: int | None = NOBODY,
        **more: Any,
    ) -> Done:
        """Run a command under a profile, as user nobody; `outer` goes before seclatch-apply."""
        settings: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "capture_output": True,
            "text": True,
            "timeout": 60,
            "errors": "replace",
            **more,
        }
        if user is not None and os.geteuid() == 0:
            settings |= {"user": user, "group": user, "extra_groups": []}
        words = [*map(str, outer), *self.argv(profile, *command, options=options)]
        return subprocess.run(words, check=False, **settings)


@pytest.fixture(scope="session")
def apply(compiler: Compiler) -> Iterator[Applier]:
    with tempfile.TemporaryDirectory(prefix="seclatch-apply-") as folder:
        Path(folder).chmod(0o755)
        yield Applier(Path(folder), compiler)


@pytest.fixture(scope="session")
def refusing(apply: Applier) -> Callable[..., list[str]]:
    """Provide refusing("101 0x50001", …): a command prefix that loads a filter with these."""

    def words(*calls: str) -> list[str]:
        return [str(apply.program("deny")), *" ".join(calls).split(), "--"]

    return words

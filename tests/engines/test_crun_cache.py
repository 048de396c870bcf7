"""crun's filter cache uses a digest that omits errnoRet: check seclatch's claims about it."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from seclatch.model.arch import Arch
from seclatch.profile.check_profile import check_profile
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.compile.resolve_profile import Host
from seclatch.profile.parse.load_profile import parse_document, parse_profile
from seclatch.system.read_filters import read_filters
from tests.engines.bundles import Container, wait_for_filter
from tests.latch.oci import SCRIPTS

pytestmark = [pytest.mark.root, pytest.mark.engine]

EARLIER: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["acct", "bpf"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}],
}
Loader = Callable[[dict[str, Any]], bytes]


def other(**changes: Any) -> dict[str, Any]:
    profile = deepcopy(EARLIER)
    profile["syscalls"][0].update(changes)
    return profile


def compiled(profile: dict[str, Any]) -> bytes:
    return compile_profile(parse_profile(json.dumps(profile), "x"), runtime=Runtime.CRUN).code


@pytest.fixture(params=["crun", str(SCRIPTS / "seclatch-crun")], ids=["bare", "latched"])
def loader(request: pytest.FixtureRequest, tmp_path: Path) -> Loader:
    """Start a container with a profile under one state root; return the live filter."""

    def load(profile: dict[str, Any]) -> bytes:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        with started(request.param, folder, profile, tmp_path / "root") as pid:
            (program,) = read_filters(pid)
            return program

    return load


@contextmanager
def started(crun: str, folder: Path, profile: dict[str, Any], root: Path) -> Iterator[int]:
    container = Container("crun", folder, profile)
    container.base[container.base.index("crun")] = crun
    container.base[container.base.index("--root") + 1] = str(root)
    try:
        status, log = container.start()
        assert status == 0, log
        pid = int((folder / "pid").read_text())
        wait_for_filter(pid)
        yield pid
    finally:
        container.delete()


def remedy() -> str:
    document = parse_document(json.dumps(other(errnoRet=38)), "x")
    (found,) = [
        each for each in check_profile(document, Host(Arch.native())) if each.code == "crun-cache"
    ]
    assert (found.path, found.line) == (("syscalls", 0, "errnoRet"), 1)
    return found.remedy


def test_a_changed_errno_is_ignored_until_the_cache_is_removed(
    loader: Loader, tmp_path: Path
) -> None:
    assert loader(EARLIER) == compiled(EARLIER)
    assert loader(other(errnoRet=38)) == compiled(EARLIER) != compiled(other(errnoRet=38))
    assert "remove /run/crun/.cache/seccomp (.cache/seccomp below crun's --root)" in remedy()
    shutil.rmtree(tmp_path / "root/.cache/seccomp")
    assert loader(other(errnoRet=38)) == compiled(other(errnoRet=38))


def test_reordered_names_miss_the_cache(loader: Loader) -> None:
    assert loader(EARLIER) == compiled(EARLIER)
    assert "write the rule's names in another order" in remedy()
    turned = other(errnoRet=38, names=["bpf", "acct"])
    assert loader(turned) == compiled(turned)

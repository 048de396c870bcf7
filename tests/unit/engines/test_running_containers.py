from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.engines.running_containers import read_conmon_container, read_shim_container


@pytest.fixture
def process(tmp_path: Path) -> Path:
    (tmp_path / "cwd").mkdir()
    return tmp_path


def test_a_shim_is_recognised_by_its_bundle(process: Path) -> None:
    (process / "cwd/runtime").write_text("/usr/local/lib/seclatch/docker/runc")
    (process / "cmdline").write_bytes(b"shim\0-namespace\0moby\0-id\0abc\0-address\0/x\0")
    assert read_shim_container(process) == ("/usr/local/lib/seclatch/docker/runc", "abc")


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (
            b'{"annotations": {"io.kubernetes.cri.sandbox-name": "web-0",'
            b' "io.kubernetes.cri.sandbox-namespace": "shop"}}',
            "pod shop/web-0",
        ),
        (b'{"annotations": {"io.kubernetes.cri.sandbox-name": "web-0"}}', "abc"),
        (b'{"annotations": []}', "abc"),
        (b"{", "abc"),
        (b"[" * 100_000, "abc"),
    ],
)
def test_a_pod_s_shim_is_named_by_the_pod(process: Path, config: bytes, name: str) -> None:
    (process / "cwd/runtime").write_text("/front")
    (process / "cwd/config.json").write_bytes(config)
    (process / "cmdline").write_bytes(b"shim\0-id\0abc\0")
    assert read_shim_container(process) == ("/front", name)


@pytest.mark.parametrize("flags", [(b"-r", b"-n"), (b"--runtime", b"--name")])
def test_a_conmon_is_recognised_by_its_options(process: Path, flags: tuple[bytes, bytes]) -> None:
    words = [b"conmon", b"-c", b"id", flags[0], b"/front/crun", flags[1], b"web"]
    (process / "cmdline").write_bytes(b"\0".join(words) + b"\0")
    assert read_conmon_container(process) == ("/front/crun", "web")


def test_a_conmon_without_a_runtime_is_ignored(process: Path) -> None:
    (process / "cmdline").write_bytes(b"conmon\0--version\0")
    assert read_conmon_container(process) is None

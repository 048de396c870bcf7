"""Hostile layers: no name and no link of an archive leads out of the directory."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.errors import InputError
from seclatch.scan.image.layers import LayerUnpacker


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o755) -> Any:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def unpack(root: Path, *layers: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    unpacker = LayerUnpacker(fd, "test.tar")
    for rows in layers:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as archive:
            for info, content in rows:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        data.seek(0)
        with tarfile.open(fileobj=data, mode="r|") as archive:
            unpacker.layer(archive)
    os.close(fd)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.mark.parametrize(
    "names",
    [
        ["../outside/x"],
        ["/../../outside/x"],
        ["a/../../outside/x"],
        ["./.././outside/x"],
    ],
)
def test_dots_do_not_lead_out(root: Path, names: list[str]) -> None:
    unpack(root, [(member(name), b"x") for name in names])
    assert not list((root.parent / "outside").iterdir())


@pytest.mark.parametrize("target", ["../outside", "/proc/self/cwd", "../../../../../../tmp"])
def test_links_are_followed_within_the_root_only(root: Path, target: str) -> None:
    outside = root.parent / "outside"
    unpack(
        root,
        [
            (member("l", tarfile.SYMTYPE, target.replace("..", str(outside))), b""),
            (member("m", tarfile.SYMTYPE, "../outside"), b""),
            (member("m/x"), b"evil"),
        ],
    )
    assert not list(outside.iterdir())
    assert (root / "outside" / "x").read_bytes() == b"evil"


def test_a_file_over_a_link_replaces_the_link(root: Path) -> None:
    victim = root.parent / "outside" / "victim"
    victim.write_text("safe")
    unpack(root, [(member("x", tarfile.SYMTYPE, str(victim)), b""), (member("x"), b"evil")])
    assert victim.read_text() == "safe"
    assert (root / "x").read_bytes() == b"evil" and not (root / "x").is_symlink()


def test_a_hard_link_to_a_link_does_not_leave(root: Path) -> None:
    victim = root.parent / "outside" / "victim"
    victim.write_text("safe")
    unpack(
        root,
        [
            (member("s", tarfile.SYMTYPE, str(victim)), b""),
            (member("h", tarfile.LNKTYPE, "s"), b""),
            (member("h"), b"evil"),
        ],
    )
    assert victim.read_text() == "safe"


def test_devices_and_special_mode_bits_are_dropped(root: Path) -> None:
    unpack(
        root,
        [
            (member("null", tarfile.CHRTYPE), b""),
            (member("pipe", tarfile.FIFOTYPE), b""),
            (member("su", mode=0o6755), b"x"),
        ],
    )
    assert [each.name for each in root.iterdir()] == ["su"]
    assert (root / "su").stat().st_mode & 0o7000 == 0


def test_later_layers_remove_and_replace(root: Path) -> None:
    unpack(
        root,
        [
            (member("a/one"), b"1"),
            (member("a/two"), b"2"),
            (member("b/x"), b"x"),
            (member("c"), b"c"),
        ],
        [
            (member("a/.wh.one"), b""),
            (member("b/.wh..wh..opq"), b""),
            (member("b/y"), b"y"),
            (member("c", tarfile.DIRTYPE), b""),
        ],
    )
    found = sorted(str(each.relative_to(root)) for each in root.rglob("*"))
    assert found == ["a", "a/two", "b", "b/y", "c"]


@pytest.mark.parametrize("name", [".wh...", ".wh..", ".wh.", "a/.wh...", "s/.wh..."])
def test_a_whiteout_names_a_file_beside_it(root: Path, name: str) -> None:
    """`.wh...` would be a whiteout of `..`: of the directory that holds the root."""
    kept = root.parent / "outside" / "kept"
    kept.write_text("safe")
    rows = [(member("s", tarfile.SYMTYPE, "."), b""), (member("a/x"), b"x"), (member(name), b"")]
    with pytest.raises(InputError, match="a whiteout that names no file"):
        unpack(root, rows)
    assert kept.read_text() == "safe"


NAMES = st.sampled_from(
    [
        "a",
        "b",
        "..",
        ".",
        "",
        "/",
        ".wh.a",
        ".wh..wh..opq",
        "c",
        "x" * 300,
        "\x1b",
        ".wh...",
        ".wh..",
        ".wh.",
        ".wh..wh.",
    ]
)
PATHS = st.lists(NAMES, min_size=1, max_size=5).map("/".join)
KINDS = st.sampled_from([tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])


@given(rows=st.lists(st.tuples(PATHS, KINDS, PATHS), max_size=12))
def test_no_archive_writes_outside_of_the_root(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, bytes, str]]
) -> None:
    place = tmp_path_factory.mktemp("hostile")
    (place / "root").mkdir()
    members = [
        (member(name, kind, link), b"x" if kind == tarfile.REGTYPE else b"")
        for name, kind, link in rows
    ]
    # Failures are reported as an error of the layer; see image.py.
    with contextlib.suppress(OSError, tarfile.TarError, ValueError, InputError):
        unpack(place / "root", members)
    assert [each.name for each in place.iterdir()] == ["root"]

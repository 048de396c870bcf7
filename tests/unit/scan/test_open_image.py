"""Hostile images: nothing outside of them is read, and their costs are bounded."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from seclatch.errors import InputError
from seclatch.scan.image import open_image


def header(kind: bytes, size: int) -> bytes:
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.USTAR_FORMAT)


def layout(directory: Path, names: list[str]) -> None:
    directory.mkdir(exist_ok=True)
    rows = [{"Config": names[0], "Layers": names[1:]}]
    (directory / "manifest.json").write_text(json.dumps(rows))


def test_no_link_leads_out_of_a_layout(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    layout(inside, ["x/c.json", "x/l.tar"])
    outside.mkdir()
    (outside / "c.json").write_text("{}")
    with tarfile.open(outside / "l.tar", "w"):
        pass
    for target in ("../outside", str(outside)):
        (inside / "x").symlink_to(target)
        with pytest.raises(InputError, match="missing"), open_image.open_image(inside, "x86_64"):
            pass
        (inside / "x").unlink()
    (inside / "y").mkdir()
    for each in outside.iterdir():
        each.rename(inside / "y" / each.name)
    (inside / "x").symlink_to("/y")
    with open_image.open_image(inside, "x86_64") as found:
        assert found.directory.is_dir()


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("outer", [False, True])
def test_a_header_of_gigabytes(kind: bytes, outer: bool, tmp_path: Path) -> None:
    """Of an archive or of a layer in one: none of it is read."""
    content = gzip.compress(header(kind, 1 << 32) + bytes(1 << 20))
    path = tmp_path / "image.tar"
    if outer:
        path.write_bytes(content)
    else:
        layout(tmp_path / "image", ["c.json", "l.tar"])
        (tmp_path / "image/c.json").write_text("{}")
        (tmp_path / "image/l.tar").write_bytes(content)
        with tarfile.open(path, "w") as archive:
            archive.add(tmp_path / "image", ".")
    with pytest.raises(InputError, match="header of"), open_image.open_image(path, "x86_64"):
        pass


def test_an_archive_of_very_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_image, "_BLOBS", 10)
    path = tmp_path / "image.tar"
    with tarfile.open(path, "w") as archive:
        for each in range(11):
            archive.addfile(tarfile.TarInfo(str(each)), io.BytesIO())
    with pytest.raises(InputError, match="more files"), open_image.open_image(path, "x86_64"):
        pass


def saved(path: Path, layer: bytes, outer: str = "") -> None:
    """Make an archive like `docker save`, of one layer; `outer` compresses the whole."""
    with tarfile.open(path, f"w:{outer}") as archive:  # type: ignore[call-overload]
        rows = [{"Config": "c.json", "Layers": ["l.tar"]}]
        files = {"manifest.json": json.dumps(rows).encode(), "c.json": b"{}", "l.tar": layer}
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def layer() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for each in range(8):
            info = tarfile.TarInfo(f"file{each}")
            info.size = 4096
            archive.addfile(info, io.BytesIO(random.Random(each).randbytes(4096)))
    return file.getvalue()


COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": lambda content: zstandard.ZstdCompressor(write_checksum=True).compress(content),
}


def damaged(content: bytes, seed: int) -> bytes:
    """Truncate the bytes, or change some, anywhere."""
    chance = random.Random(seed)
    changed = bytearray(content)
    if seed % 4 == 0:
        return bytes(changed[: chance.randrange(len(changed))])
    for _ in range(chance.choice((1, 3, 64))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


@pytest.mark.parametrize("seed", range(24))
@pytest.mark.parametrize("of", [*COMPRESSED, "outer gz", "outer bz2", "outer xz"])
def test_a_damaged_archive(of: str, seed: int, tmp_path: Path) -> None:
    """It is unpacked, or refused with a remedy; nothing else is raised."""
    path = tmp_path / "image.tar"
    if of.startswith("outer"):
        saved(path, layer(), of.split()[1])
        path.write_bytes(damaged(path.read_bytes(), seed))
    else:
        saved(path, damaged(COMPRESSED[of](layer()), seed))
    try:
        with open_image.open_image(path, "x86_64") as found:
            assert found.directory.is_dir()
    except InputError as error:
        assert error.remedy, error


def test_a_layer_whose_compression_is_broken(tmp_path: Path) -> None:
    """The first block has an undefined type: zlib raises its own error, not OSError."""
    path = tmp_path / "image.tar"
    head = gzip.compress(b"")[:10]
    saved(path, head + b"\x07" + bytes(64))
    with (
        pytest.raises(InputError, match=r"l\.tar: the layer cannot be unpacked"),
        open_image.open_image(path, "x86_64"),
    ):
        pass

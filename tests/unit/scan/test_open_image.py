"""Hostile images: nothing outside of them is read, and none costs what a small file should not."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

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
    """Of an archive or of a layer in one: nothing of it is read."""
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

"""Files that are no image: the message gives the reason, and the accepted forms."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seclatch.errors import InputError
from seclatch.scan.image.open_image import open_image


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"", "docker save"),
        (bytes(9000), "docker save"),
        (b"\x7fELF" + bytes(9000), "--entrypoint"),
    ],
)
def test_a_file_that_is_no_archive(content: bytes, remedy: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught, open_image(file, "x86_64"):
        pass
    assert remedy in caught.value.remedy
    assert "method" not in str(caught.value)  # text of Python's own exception


def test_a_missing_file(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="cannot read it: No such file"),
        open_image(tmp_path / "missing", "x86_64"),
    ):
        pass


@pytest.mark.parametrize("name", ["pipe", "device"])
def test_what_may_have_no_end_is_not_read(name: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    path = pipe if name == "pipe" else Path("/dev/zero")
    with (
        pytest.raises(InputError, match="neither a file nor a directory"),
        open_image(path, "x86_64"),
    ):
        pass

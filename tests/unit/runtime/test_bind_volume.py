"""--volume SRC:DST[:ro]."""

from pathlib import Path
from typing import Any

import pytest

from seclatch.errors import InputError
from seclatch.runtime.bind_volume import BindVolume, parse_volume


def test_forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "d").mkdir()
    monkeypatch.chdir(tmp_path)
    assert parse_volume(f"{tmp_path}/d:/x") == BindVolume(f"{tmp_path}/d", "/x", False)
    assert parse_volume("d:/x/../y/:ro") == BindVolume(f"{tmp_path}/d", "/y", True)
    assert parse_volume(".:/x:rw") == BindVolume(str(tmp_path), "/x", False)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "SRC:DST"),
        ("/tmp", "SRC:DST"),
        (":/x", "SRC:DST"),
        ("/tmp:", "absolute"),
        ("/tmp:x", "absolute"),
        ("/tmp:/", "below /"),
        ("/tmp:/a/..", "below /"),
        ("/tmp:/x:z", "'z'"),
        ("/tmp:/x:ro:rw", "'ro:rw'"),
        ("/nonexistent:/x", "does not exist"),
    ],
)
def test_refused(text: str, problem: Any) -> None:
    with pytest.raises(InputError, match=problem):
        parse_volume(text)

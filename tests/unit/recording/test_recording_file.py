from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seclatch.errors import InputError, SeclatchError
from seclatch.model.recording.recording import RecordedHost, Recording
from seclatch.recording.files import recording_file
from tests.unit.recordings import calls, recording, recordings

SCHEMA = json.loads(recording_file.read_schema())


def test_published_schema_matches_the_types() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert recording_file.make_schema() == SCHEMA


@settings(deadline=None)  # files are synced: a busy disk takes its time
@given(made=recordings())
def test_written_recording_reads_back_and_fits_the_schema(
    tmp_path_factory: pytest.TempPathFactory, made: Recording
) -> None:
    folder = tmp_path_factory.mktemp("store")
    for name in ("a.json", "a.json.gz"):
        recording_file.write_recording(folder / name, made)
        assert recording_file.read_recording(folder / name) == made
    assert sorted(each.name for each in folder.iterdir()) == ["a.json", "a.json.gz"]
    jsonschema.validate(json.loads((folder / "a.json").read_text()), SCHEMA)


def test_endless_file() -> None:
    with pytest.raises(InputError, match="not a recording"):
        recording_file.read_recording(Path("/dev/zero"))


def test_impossible_times(tmp_path: Path) -> None:
    recording_file.write_recording(tmp_path / "x.json", recording([], duration=1e300))
    with pytest.raises(InputError, match="no clock"):
        recording_file.read_recording(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a recording"),
        (b"{", "not a recording"),
        (b"[]", "Expected `object`"),
        (b"\xff", "not a recording"),
        (b'{"schema": 2}', "version 2"),
        (b'{"defaultAction": "SCMP_ACT_ERRNO"}', "not a recording, but a profile"),
        (b"{}", "not a recording: .*`schema`"),
        (b'{"schema": "seclatch.x/1"}', r"but output of seclatch \(seclatch\.x/1\)"),
        (b'{"schema": "other/1"}', "not a recording: Expected `int`"),
        (b'{"schema": 1, "kind": "scan"}', "not a recording, but a scan"),
        (b'{"schema": 1}', "missing required field"),
        (b'{"x": ' + b"[" * 100000, "not a recording"),
        (gzip.compress(b'{"schema": 1}', mtime=0)[:-9], "cut off"),
        (b"\x1f\x8bxxxxxxxxxxxxx", "gzip"),
    ],
)
def test_error_for_another_file_names_it(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as error:
        recording_file.read_recording(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("content", [b'{"defaultAction": "x"}', b'{"schema": 1, "kind": "scan"}'])
def test_error_for_another_file_has_a_remedy(content: bytes) -> None:
    with pytest.raises(InputError) as caught:
        recording_file.decode_recording("x.json", content)
    assert "`seclatch record -o FILE`" in caught.value.remedy


def test_error_names_the_place(tmp_path: Path) -> None:
    recording_file.write_recording(tmp_path / "a.json", recording(calls("program", "read")))
    document = json.loads((tmp_path / "a.json").read_text())
    document["calls"][0]["count"] = "many"
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(InputError) as error:
        recording_file.read_recording(tmp_path / "a.json")
    assert error.value.place == "$.calls[0].count"


def test_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_file, "MAX_SIZE", 1 << 16)
    path = tmp_path / "x.json.gz"
    path.write_bytes(gzip.compress(bytes(1 << 20), mtime=0))
    with pytest.raises(InputError, match="larger"):
        recording_file.read_recording(path)


@given(content=st.binary(max_size=50))
def test_garbage_is_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("garbage") / "x.json"
    path.write_bytes(content)
    with pytest.raises(InputError):
        recording_file.read_recording(path)


def test_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.mkdir()
    with pytest.raises(SeclatchError, match=r"a\.json"):
        recording_file.write_recording(target, recording([]))
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]
    with pytest.raises(SeclatchError, match="No such file"):
        recording_file.write_recording(tmp_path / "nowhere" / "a.json", recording([]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"entries": calls("\x1b[31m", "read")}, "there is no stage"),
        ({"entries": calls("program", "read", runs=0)}, "runs: less than 1"),
        ({"runs": 0}, "runs: less than 1"),
        ({"hosts": [RecordedHost(kernel="6.12", arch="pdp11")]}, "unknown architecture 'pdp11'"),
    ],
)
def test_values_that_types_allow_but_the_format_does_not(
    change: dict[str, Any], message: str
) -> None:
    content = recording_file.encode_recording(
        Path("a.json"), recording(**({"entries": []} | change))
    )
    with pytest.raises(InputError, match=message):
        recording_file.decode_recording("a.json", content)


def test_capabilities_are_hexadecimal() -> None:
    content = msgspec.json.encode(recording([]))
    mask = dict.fromkeys(["inheritable", "permitted", "effective", "bounding", "ambient"], "xyz")
    whole = json.loads(content)
    whole["contexts"] = [{"uid": 0, "gid": 0, "euid": 0, "egid": 0, "capabilities": mask}]
    with pytest.raises(InputError, match=r"contexts\[0\].capabilities"):
        recording_file.decode_recording("a.json", json.dumps(whole).encode())

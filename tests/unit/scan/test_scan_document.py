from __future__ import annotations

import json

import jsonschema
import msgspec
import pytest

from seclatch.errors import InputError
from seclatch.model.scan import CallChain, Scan, ScannedProgram, UnresolvedCall
from seclatch.scan import scan_document

SCHEMA = json.loads(scan_document.published_schema())
SCAN = Scan(
    "image",
    (
        ScannedProgram(
            "/bin/a", "x86_64", "", ("/bin/a",), (CallChain("read", 0, ("x", "y\x1b[31m")),)
        ),
        ScannedProgram(
            "/b",
            "aarch64",
            "",
            ("/b",),
            (),
            (UnresolvedCall("/b", "b:f", 64, "why"),),
            ("libx.so",),
        ),
    ),
)


def test_the_published_schema_is_that_of_the_types() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(scan_document.make_schema())) == SCHEMA


def test_a_written_scan_is_read_back_and_fits_the_schema() -> None:
    content = scan_document.encode_scan(SCAN)
    assert scan_document.decode_scan("x", content) == SCAN
    jsonschema.validate(json.loads(content), SCHEMA)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a scan"),
        (b"{}", "not a scan: .*`schema`"),
        (b'{"schema": 1}', "not a scan"),
        (b'{"schema": 99, "kind": "scan"}', "version 99"),
        (b'{"schema": 1, "kind": "scan", "source": 3, "programs": []}', "source"),
        (b"[" * 100_000, "array"),
    ],
)
def test_a_file_that_is_no_scan_is_refused_with_a_reason(content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        scan_document.decode_scan("file", content)


def test_a_scan_is_whole_only_if_all_programs_are() -> None:
    assert not SCAN.whole and SCAN.programs[0].whole
    assert msgspec.json.decode(scan_document.encode_scan(SCAN), type=Scan).names == {"read"}

"""report as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from seclatch.recording.files import recording_file
from seclatch.scan.scan_document import encode_scan
from tests.interface.test_recording import seclatch
from tests.unit.report.starts import scan, start

SCHEMAS = Path(__file__).parents[2] / "src/seclatch/data/schemas"
PROFILE = Path(__file__).parents[1] / "data" / "stali-like.json"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "box.recording.json"
    recording_file.write_recording(path, start(latched=True))
    return path


def test_a_page_beside_an_existing_one(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = seclatch("report", file)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "seclatch: report: box.html\n"
    assert (tmp_path / "box.html").read_text().startswith("<!doctype html>")


def test_text(file: Path) -> None:
    done = seclatch("report", "--text", "--profile", PROFILE, file)
    assert done.returncode == 0, done.stderr
    assert "The filter binds app from its first instruction." in done.stdout
    lane = next(
        line for line in done.stdout.splitlines() if line.startswith("program       app x ")
    )
    assert lane.index("░") < lane.index("▼") < lane.index("▒") < lane.index("◆") < lane.index("█")
    assert "denies, though the program used it: close mkdir" in done.stdout


def test_json(file: Path) -> None:
    done = seclatch("report", "--json", "--profile", PROFILE, file)
    document = json.loads(done.stdout)
    jsonschema.validate(document, json.loads((SCHEMAS / "report-1.json").read_bytes()))
    assert document["starts"][0]["outcome"] == "latched"
    assert document["fit"]["refused"] == ["close", "mkdir"]


def test_with_a_scan(file: Path, tmp_path: Path) -> None:
    found = tmp_path / "app.scan.json"
    found.write_bytes(encode_scan(scan("read", "ptrace")))
    document = json.loads(seclatch("report", "--json", "--scan", found, file).stdout)
    jsonschema.validate(document, json.loads((SCHEMAS / "report-1.json").read_bytes()))
    result = {each["name"]: (each["need"], each["scanned"]) for each in document["matrix"]["lines"]}
    assert result["ptrace"] == ("static", True)
    assert result["close"] == ("both", False)
    done = seclatch("report", "--scan", file, file)
    assert (done.returncode, done.stdout) == (2, "")
    assert "not a scan" in done.stderr


def test_two_forms_at_once(file: Path) -> None:
    done = seclatch("report", "--json", "--text", file)
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("target", ["/dev/full", "/nowhere/x.html"])
def test_an_unwritable_output(file: Path, target: str) -> None:
    done = seclatch("report", "-o", target, file)
    assert done.returncode == 2
    assert f"writing {target}" in done.stderr
    assert "Traceback" not in done.stderr


def test_neither_recording_nor_profile(file: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    for words in ([bad], ["--profile", bad, file], [tmp_path / "none"]):
        done = seclatch("report", "-o", tmp_path / "x.html", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "x.html").exists()


@pytest.mark.parametrize(
    ("kernel", "kept"), [("6.12", True), ("6.12-custom", True), ("6.²", False), ("9" * 5000, False)]
)
def test_any_kernel_version(kernel: str, kept: bool, file: Path, tmp_path: Path) -> None:
    recorded = json.loads(file.read_bytes())
    recorded["hosts"][0]["kernel"] = kernel
    file.write_text(json.dumps(recorded))
    rule = {"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "6.2"}}
    profile = tmp_path / "newer.json"
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}))
    done = seclatch("report", "--json", "--profile", profile, file)
    assert ("read" not in json.loads(done.stdout)["fit"]["refused"]) == kept


def test_a_trace(file: Path, tmp_path: Path) -> None:
    done = seclatch("report", "--format", "perfetto", "-o", tmp_path / "trace.json", file)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"]


def test_one_format_at_a_time(file: Path) -> None:
    done = seclatch("report", "--format", "perfetto", "--json", file)
    assert done.returncode == 2
    assert "exclude each other" in done.stderr

"""Calls that a new release needs and a profile denies."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from seclatch.cli.main import cli
from seclatch.model.action import ENOSYS
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Profile, Rule
from seclatch.model.scan import CallChain, Scan, ScannedProgram
from seclatch.profile.generate.find_gaps import find_recorded_gaps, find_scanned_gaps
from seclatch.profile.meaning.rule_meaning import ProfileMeaning, read_meaning
from seclatch.scan import scan_document
from tests.unit.recordings import calls, recording


def meaning(*allowed: str) -> ProfileMeaning:
    rules = (
        Rule(allowed, "SCMP_ACT_ALLOW"),
        Rule(("statx",), "SCMP_ACT_ERRNO", ENOSYS),
    )
    return read_meaning(Profile("SCMP_ACT_ERRNO", rules, (Arch.X86_64,)), Arch.X86_64)


def scan(*names: str) -> Scan:
    found = tuple(CallChain(name, 0, ("start", f"libc:{name}")) for name in names)
    return Scan("image", (ScannedProgram("/bin/x", "x86_64", "given", (), found),))


def test_a_recorded_call_that_is_denied_counts() -> None:
    [gap] = find_recorded_gaps(meaning("read"), recording(calls("program", "read fsync")), "new")
    assert (gap.call, gap.counts, gap.source) == ("fsync", True, "new")
    assert "recorded 1 time" in gap.reason


def test_calls_with_a_fallback_do_not_count() -> None:
    [gap] = find_recorded_gaps(meaning("read"), recording(calls("program", "statx")), "new")
    assert not gap.counts and "fstatat" in gap.reason


def test_a_scanned_call_has_its_chain_and_dangerous_ones_do_not_count() -> None:
    gaps = {gap.call: gap for gap in find_scanned_gaps(meaning("read"), scan("fsync", "bpf"), "s")}
    assert gaps["fsync"].counts and gaps["fsync"].reason == "start → libc:fsync"
    assert not gaps["bpf"].counts


def test_calls_of_an_older_release_are_not_reported() -> None:
    found = find_scanned_gaps(meaning("read"), scan("fsync", "mkdir"), "s", [scan("fsync")])
    assert [gap.call for gap in found] == ["mkdir"]


@pytest.mark.parametrize(("calls_found", "status"), [(("read",), 0), (("read", "fsync"), 1)])
def test_the_command_s_status(tmp_path: Path, calls_found: tuple[str, ...], status: int) -> None:
    profile, new = tmp_path / "profile.json", tmp_path / "new.scan.json"
    profile.write_text(
        json.dumps(
            {
                "defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}],
            }
        )
    )
    new.write_bytes(scan_document.encode_scan(scan(*calls_found)))
    words = ["profile", "fit", str(profile), "--scan", str(new), "--arch", "x86_64"]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == status, done.output
    assert ("fsync" in done.output) == bool(status)
    as_json = json.loads(CliRunner().invoke(cli, [*words, "--json"]).output)
    assert as_json["fits"] is not bool(status)
    schema = resources.files("seclatch.data").joinpath("schemas/profile-fit-1.json")
    jsonschema.validate(as_json, json.loads(schema.read_text()))

"""Why each call of a generated profile is in it, and what was left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from click.testing import CliRunner

from seclatch.cli.main import cli
from seclatch.data import DATA
from seclatch.model.profile.profile import Profile, Rule
from seclatch.model.profile.profile_reasons import ProfileReasons
from seclatch.model.recording.merge_recordings import merge_recordings
from seclatch.model.recording.recording import RecordedDenial, Recording
from seclatch.model.scan import CallChain, Scan, ScannedProgram
from seclatch.model.stage import Stage
from seclatch.profile.generate.assemble_profile import AssemblyOptions, assemble_profile
from seclatch.profile.generate.explain_profile import explain_profile, list_reasons
from seclatch.profile.generate.generate_profile import GeneratorOptions
from seclatch.scan.scan_document import encode_scan
from tests.unit.profile.test_match_inputs import process
from tests.unit.recordings import calls, recording

SCAN = Scan(
    "app",
    (
        ScannedProgram(
            "/usr/bin/app",
            "x86_64",
            "",
            ("/usr/bin/app",),
            tuple(
                CallChain(name, 0, ("app:main", f"libc.so.6:{name}"))
                for name in ("read", "mkdir", "execve", "bpf")
            ),
        ),
    ),
    followed=("/usr/bin/app",),
)


def shown(names: str = "read socket clone", **more: Any) -> Recording:
    return recording(
        calls("program", names, count=3),
        processes=[process(("program", "/usr/bin/app", "app"))],
        **more,
    )


def explained(*recordings: Recording, **options: Any) -> ProfileReasons:
    choice = AssemblyOptions(**options)
    return explain_profile(assemble_profile(recordings, choice), recordings, choice.scan)


def allowed(reasons: ProfileReasons) -> dict[str, tuple[str, str]]:
    return {each.call: (each.kind, each.reason) for each in reasons.allowed}


def test_every_allowed_call_has_its_reason() -> None:
    done = assemble_profile([shown()], AssemblyOptions(scan=SCAN, allow=("execve",)))
    reasons = explain_profile(done, [shown()], SCAN)
    named = {
        name for rule in done.profile.rules for name in rule.names if rule.effect.kind.executes
    }
    assert {each.call for each in reasons.allowed} == named
    kinds = allowed(reasons)
    assert kinds["read"] == ("recorded", "recorded 3 times by /usr/bin/app")
    assert kinds["mkdir"][0] == "scan"
    assert kinds["execve"] == ("option", "allowed by --allow")
    assert kinds["exit_group"][0] == "always"
    assert kinds["shutdown"] == ("family", kinds["shutdown"][1])
    assert "it makes socket" in kinds["shutdown"][1]


def test_a_scan_s_call_has_its_chain() -> None:
    [found] = [each for each in explained(shown(), scan=SCAN).allowed if each.call == "mkdir"]
    assert found.chain == ["app:main", "libc.so.6:mkdir"] and found.count == 0


def test_conditions_are_shown_where_no_rule_is_without() -> None:
    by_name = {each.call: each for each in explained(shown("clone read")).allowed}
    assert by_name["read"].arguments == []
    assert len(by_name["clone"].arguments) == 1  # Docker's default keeps namespace flags out


def test_what_was_left_out_says_why_and_what_allows_it() -> None:
    denial = RecordedDenial(
        process=0, stage="program", arch="x86_64", number=83, name="mkdir", errno=1, count=1
    )
    denied = shown("read bpf", denials=[denial])
    left = {each.call: each for each in explained(denied, scan=SCAN).left_out}
    assert left["bpf"].remedy == "--wider bpf" and "docker-default" in left["bpf"].reason
    assert left["execve"].remedy == "--allow execve" and "dangerous" in left["execve"].reason
    assert left["execve"].chain
    alone = {each.call: each for each in explained(denied).left_out}
    assert alone["mkdir"].reason == "denied while recording"


def test_enosys_has_what_programs_use_instead() -> None:
    refused = {each.call: each for each in explained(shown()).enosys}
    assert refused["clone3"].fallback == "clone"
    assert "5.1" in refused["mount_setattr"].reason


def test_merged_recordings_have_counts_and_no_programs() -> None:
    [read] = [
        each
        for each in explained(merge_recordings([shown(), shown()])).allowed
        if each.call == "read"
    ]
    assert (read.count, read.programs, read.reason) == (6, [], "recorded 6 times")


def test_other_sources_of_rules_are_told_apart() -> None:
    plain = explained(shown(), generator=GeneratorOptions(plain="runc"))
    assert allowed(plain)["capset"][0] == "runtime"
    twins = explained(shown("openat"), generator=GeneratorOptions(portable=True))
    assert allowed(twins)["open"][0] == "portable"
    base = Profile("SCMP_ACT_ERRNO", (Rule(("mkdir",), "SCMP_ACT_ALLOW", comment="ours"),))
    more = explained(shown(), generator=GeneratorOptions(base=base))
    assert allowed(more)["mkdir"] == ("base", "ours")
    first = GeneratorOptions(first=Stage.FILTERED_INIT)
    early = recording([*calls("filtered-init", "capset", count=2), *calls("program", "read")])
    assert allowed(explained(early, generator=first))["capset"][1] == "recorded 2 times"


def run(path: Path, *words: str) -> tuple[str, str]:
    (path / "a.json").write_bytes(msgspec.json.encode(shown()))
    (path / "s.json").write_bytes(encode_scan(SCAN))
    command = ["generate", str(path / "a.json"), "--scan", str(path / "s.json"), *words]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    return done.stdout, done.stderr


@pytest.mark.parametrize("form", ["docker", "kubernetes"])
def test_the_document_has_profile_and_reasons(tmp_path: Path, form: str) -> None:
    document = json.loads(run(tmp_path, "--json", "--format", form)[0])
    jsonschema.validate(document, json.loads((DATA / "schemas" / "generate-1.json").read_text()))
    assert isinstance(document["profile"], dict if form == "docker" else str)
    assert document["warnings"] and document["left_out"]
    if form == "docker":
        plain = json.loads(run(tmp_path)[0])
        assert document["profile"] == plain


def test_reasons_are_told_line_by_line(tmp_path: Path) -> None:
    _, said = run(tmp_path, "--reasons")
    assert "\nread: recorded 3 times by /usr/bin/app\n" in said
    assert "\nmkdir: found in the binaries, not recorded (app:main → libc.so.6:mkdir)\n" in said
    assert "\nexecve: not allowed: left out: never seen, and dangerous" in said
    assert "\nclone3: ENOSYS; programs use clone instead\n" in said


def test_every_line_is_of_one_call() -> None:
    lines = list(list_reasons(explained(shown(), scan=SCAN)))
    assert len({line.partition(":")[0] for line in lines}) == len(lines)

"""`seclatch amend` and `profile audit` as commands: questions, files, messages."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from seclatch.cli.main import cli
from seclatch.errors import SeclatchError
from seclatch.model.profile.amendment import make_schema
from seclatch.recording.files.recording_file import write_recording
from tests.unit.profile.amendments import TEXT, event, line, recorded, rules_of
from tests.unit.recordings import calls, recording

SCHEMA = json.loads(resources.files("seclatch.data").joinpath("schemas/amend-1.json").read_bytes())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("app.json").write_text(TEXT)
    Path("app.json").chmod(0o640)
    denials = [recorded("sysinfo", 3), recorded("execve"), recorded("bpf")]
    write_recording(Path("r.json"), recording(calls("program", "read"), denials=denials))
    Path("web.log").write_bytes(line("fcntl", 3, 1030) + line("sysinfo", count=2))
    return tmp_path


def amend(*words: str, answers: str = "") -> Result:
    arch = ["--arch", "x86_64", "--kernel", "6.12"]
    return CliRunner().invoke(cli, ["amend", *words, *arch], input=answers)


def names(file: str = "app.json") -> set[str]:
    return {name for rule in rules_of(Path(file).read_text()) for name in rule["names"]}


def untouched() -> bool:
    return Path("app.json").read_text() == TEXT and not list(Path().glob(".app.json*"))


def test_sources_are_merged_and_written_after_the_questions() -> None:
    done = amend("app.json", "--from", "r.json", "--watch-log", "web.log", answers="n\ny\n")
    assert done.exit_code == 0, done.output
    assert {"sysinfo", "fcntl"} <= names() and not {"execve", "bpf"} & names()
    assert "+ sysinfo: denied 5 times to /usr/sbin/nginx (r.json, web.log); " in done.output
    assert "bpf (once): docker-default" in done.output and "--wider bpf offers it" in done.output
    assert Path("app.json").stat().st_mode & 0o777 == 0o640


def test_a_dangerous_call_goes_in_with_a_yes_of_its_own() -> None:
    done = amend("app.json", "--from", "r.json", answers="y\ny\n")
    assert done.exit_code == 0 and "execve" in names()
    assert "dangerous: runs any program" in done.output


@pytest.mark.parametrize("answers", ["n\nn\n", "y\nn\n"])
def test_nothing_is_written_on_no(answers: str) -> None:
    done = amend("app.json", "--from", "r.json", "--ignore", "ptrace", answers=answers)
    assert done.exit_code == 1 and untouched() and not Path("app.json.ignored").exists()


@pytest.mark.parametrize("answers", ["", "n\n"])
def test_without_an_answer_nothing_is_written(answers: str) -> None:
    done = amend("app.json", "--from", "r.json", answers=answers)
    assert isinstance(done.exception, SeclatchError) and "no answer" in str(done.exception)
    assert untouched()


def test_yes_leaves_out_what_is_dangerous_unless_it_is_named() -> None:
    assert amend("app.json", "--from", "r.json", "--yes", "-o", "a.json").exit_code == 0
    assert untouched() and "sysinfo" in names("a.json") and "execve" not in names("a.json")
    words = ["--yes", "--allow", "execve", "--wider", "bpf"]
    assert amend("app.json", "--from", "r.json", *words, "-o", "b.json").exit_code == 0
    assert "execve" in names("b.json") and "bpf" not in names("b.json")


def test_a_dry_run_writes_nothing() -> None:
    done = amend("app.json", "--from", "r.json", "--dry-run", "--ignore", "bpf")
    assert done.exit_code == 0 and untouched() and not Path("app.json.ignored").exists()
    assert '+        {"names": ["sysinfo"]' in done.output and "--allow execve" in done.output


def test_ignored_calls_are_kept_beside_the_profile() -> None:
    assert amend("app.json", "--ignore", "bpf,execve,fcntl(_, 1030)").exit_code == 0
    assert untouched()
    assert Path("app.json.ignored").read_text().splitlines()[1:] == [
        "bpf",
        "execve",
        "fcntl(_, 1030)",
    ]
    done = amend("app.json", "--from", "r.json", "--watch-log", "web.log", "--yes")
    assert {"sysinfo"} == names() - {
        "read",
        "write",
        "openat",
        "socket",
        "clone3",
        "statx",
        "ptrace",
    }
    assert "ignored: execve is in app.json.ignored" in done.output


def test_the_profile_is_not_written_if_it_changed_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def change(*_: object) -> bool:
        Path("app.json").write_text("{}")
        return True

    monkeypatch.setattr("seclatch.cli.amend.amendment_output.confirm", change)
    done = amend("app.json", "--watch-log", "web.log")
    assert "changed by another process" in str(done.exception)
    assert Path("app.json").read_text() == "{}"


def test_json_follows_its_schema() -> None:
    assert make_schema() == SCHEMA
    done = amend("app.json", "--from", "r.json", "--json", "--dry-run")
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert [row["calls"] for row in document["amended"] if not row["accepted"]] == [["execve"]]
    assert document["written"] == "" and document["unamended"][0]["option"] == "--wider bpf"
    assert amend("app.json", "--from", "r.json", "--json").exit_code == 2


def test_hostile_names_are_escaped() -> None:
    Path("web.log").write_bytes(line("sysinfo", exe="/bin/\x1b[2J\nx"))
    done = amend("app.json", "--watch-log", "web.log", "--yes")
    assert "\x1b" not in done.output and r"/bin/\x1b[2J\nx" in done.output
    assert "sysinfo" in names()


def test_unread_lines_and_hosts_are_named() -> None:
    Path("web.log").write_bytes(line("sysinfo") + line("rmdir")[:-20])
    done = amend("app.json", "--watch-log", "web.log", "--dry-run")
    assert "the log is of the host web1, not of this one" in done.stderr
    assert "web.log: line 2 cut off or no line of a denial log" in done.stderr


def test_a_recording_under_another_profile_is_named() -> None:
    from seclatch.model.recording.recording import RecordedContainer

    bound = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []}
    container = RecordedContainer(id=0, name="web", profile=bound)
    write_recording(Path("old.json"), recording(calls("program", "read"), containers=[container]))
    done = amend("app.json", "--from", "old.json", "--dry-run")
    assert "old.json was recorded under another profile than app.json is now" in done.stderr
    assert "app.json: nothing to amend" in done.output


@pytest.mark.parametrize(
    "words",
    [
        ["app.json"],
        ["app.json", "--watch-log", "web.log", "--action", "ERRNO(1)"],
        ["app.json", "--watch-log", "web.log", "--ignore", "no_such_call"],
        ["app.json", "--watch-log", "web.log", "--quiet-for", "soon"],
        ["app.json", "--watch-log", "web.log", "--allow", "no_such_call"],
    ],
)
def test_bad_options_are_refused(words: list[str]) -> None:
    assert amend(*words).exit_code == 2 and untouched()


def trial_log(*lines: bytes, hours: int = 30) -> None:
    now = datetime.now(UTC)
    begin, end = ((now - timedelta(hours=each)).isoformat() for each in (hours, 0))
    Path("trial.log").write_bytes(b"".join([event("begin", begin), *lines, event("end", end)]))


def test_a_trial_is_amended_and_enforced() -> None:
    runner = CliRunner()
    assert runner.invoke(cli, ["profile", "audit", "app.json", "-o", "trial.json"]).exit_code == 0
    old = (datetime.now(UTC) - timedelta(hours=29)).isoformat()
    trial_log(line("sysinfo", answer="log", until=old))
    words = ["trial.json", "--watch-log", "trial.log"]
    assert amend(*words, "--yes").exit_code == 0
    assert json.loads(Path("trial.json").read_text())["defaultAction"] == "SCMP_ACT_LOG"
    done = amend(*words, "--enforce", "--yes", "-o", "new.json")
    assert done.exit_code == 0, done.output
    assert "watched 30 h 0 min on web1" in done.output
    words = ["profile", "diff", "app.json", "new.json", "--arch", "x86_64"]
    shown = runner.invoke(cli, words).output
    assert shown.startswith("+ sysinfo: newly allowed") and shown.count("newly") == 1


def test_a_trial_with_new_denials_is_not_enforced() -> None:
    CliRunner().invoke(cli, ["profile", "audit", "app.json", "-o", "trial.json"])
    before = Path("trial.json").read_bytes()
    late = (datetime.now(UTC) - timedelta(hours=3)).isoformat()
    trial_log(line("sysinfo", answer="log", until=late))
    done = amend("trial.json", "--watch-log", "trial.log", "--enforce", "--yes")
    assert isinstance(done.exception, SeclatchError) and done.exception.status == 1
    assert "watched 3 h 0 min since the last new denial" in str(done.exception)
    assert "executables with a denial: /usr/sbin/nginx" in str(done.exception)
    assert Path("trial.json").read_bytes() == before


def test_audit_says_how_another_default_comes_back() -> None:
    Path("app.json").write_text(TEXT.replace("SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS", 1))
    done = CliRunner().invoke(cli, ["profile", "audit", "app.json", "-o", "trial.json"])
    assert "--enforce --action 'SCMP_ACT_KILL_PROCESS'" in done.output
    action = ["--action", "SCMP_ACT_KILL_PROCESS", "--quiet-for", "0"]
    assert amend("trial.json", "--enforce", "--yes", *action).exit_code == 0
    assert json.loads(Path("trial.json").read_text())["defaultAction"] == "SCMP_ACT_KILL_PROCESS"


def test_generate_audit_keeps_what_programs_do_without() -> None:
    done = CliRunner().invoke(cli, ["generate", "--audit", "r.json"])
    made = json.loads(done.stdout)
    assert made["defaultAction"] == "SCMP_ACT_LOG"
    answers = {name: rule for rule in made["syscalls"] for name in rule["names"]}
    assert answers["clone3"]["errnoRet"] == 38

"""Trial profiles: they log what is denied, and become the same profile again."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings

from seclatch.errors import InputError, SeclatchError
from seclatch.model.action import ENOSYS, EPERM, Action, ActionKind
from seclatch.model.recording.recording import RecordedArgument, Recording
from seclatch.profile.amend.denial_log_file import DenialLog, read_denial_log
from seclatch.profile.amend.plan_amendment import find_new_denials, list_trial_calls
from seclatch.profile.amend.trial_facts import (
    format_time,
    list_facts,
    measure_quiet,
    require_quiet,
)
from seclatch.profile.amend.trial_profile import (
    DENY,
    enforce_text,
    make_trial,
    require_same_calls,
)
from seclatch.profile.compile.resolve_profile import narrow_profile
from seclatch.profile.export.docker import make_document
from seclatch.profile.meaning.diff_profiles import compare_profiles
from seclatch.profile.meaning.rule_meaning import read_meaning
from seclatch.profile.parse.load_profile import parse_profile
from tests.examples import examples
from tests.unit.profile.amendments import HOST, TEXT, event, line, options, profile
from tests.unit.profile.profiles import profiles
from tests.unit.recordings import calls, recording

HOUR = timedelta(hours=1)


def test_what_is_denied_is_logged_and_enosys_stays() -> None:
    trial = make_trial(TEXT, "app.json")
    read = parse_profile(trial.text, "")
    assert trial.default == Action(ActionKind.ERRNO, EPERM)
    assert (read.default_action, read.default_errno) == ("SCMP_ACT_LOG", None)
    meaning = read_meaning(narrow_profile(read, HOST), HOST.arch)
    assert meaning.outcomes("clone3") == {Action(ActionKind.ERRNO, ENOSYS)}
    assert meaning.outcomes("ptrace") == {Action(ActionKind.LOG)}
    assert read.rules[3].comment == "trial of SCMP_ACT_KILL_PROCESS; never"
    assert trial.text.count("\n") == TEXT.count("\n") - 1, "the line of defaultErrnoRet"


def test_an_enforced_trial_is_the_profile_again() -> None:
    trial = make_trial(TEXT, "app.json")
    again = parse_profile(enforce_text(trial.text, "app.json", DENY), "")
    assert again == parse_profile(TEXT, "")


@given(profiles())
@settings(max_examples=examples(100), deadline=None)
def test_any_profile_is_the_same_after_a_trial(given_profile: Any) -> None:
    text = json.dumps(make_document(given_profile), indent=2)
    before = parse_profile(text, "")
    assume(not any(rule.comment.startswith("trial of ") for rule in before.rules))
    assume(before.default_action != "SCMP_ACT_LOG")
    try:
        trial = make_trial(text, "")
    except InputError as error:
        assert "denies nothing" in str(error)
        return
    resolved = narrow_profile(parse_profile(trial.text, ""), HOST)
    kinds = {rule.effect.kind for rule in resolved.rules} | {resolved.default.kind}
    assert not kinds & {ActionKind.KILL_PROCESS, ActionKind.KILL_THREAD, ActionKind.TRAP}
    after = parse_profile(enforce_text(trial.text, "", trial.default), "")
    assert not compare_profiles(
        narrow_profile(before, HOST), narrow_profile(after, HOST), HOST.arch
    )


@pytest.mark.parametrize(
    "text", ['{"defaultAction": "SCMP_ACT_ALLOW"}', '{"defaultAction": "SCMP_ACT_LOG"}']
)
def test_a_profile_that_denies_nothing_has_no_trial(text: str) -> None:
    with pytest.raises(InputError, match="it denies nothing"):
        make_trial(text, "a.json")


def test_only_a_trial_is_enforced() -> None:
    with pytest.raises(InputError, match="not a trial profile"):
        enforce_text(TEXT, "a.json", DENY)


def test_a_trial_that_would_hide_a_denial_is_refused() -> None:
    rules = [
        {"names": ["mkdir"], "action": "SCMP_ACT_KILL_PROCESS"},
        {
            "names": ["mkdir"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 1, "op": "SCMP_CMP_EQ", "value": 7}],
        },
    ]
    text = json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules})
    sides = [
        narrow_profile(parse_profile(each, ""), HOST)
        for each in (text, make_trial(text, "a.json").text)
    ]
    with pytest.raises(SeclatchError, match="would allow mkdir without a line"):
        require_same_calls(*sides, HOST.arch, "a.json")


def test_recorded_calls_of_a_trial_are_those_that_will_be_denied() -> None:
    made: Recording = recording(calls("program", "read mkdirat clone3") + calls("runtime", "mount"))
    trial = profile(make_trial(TEXT, "app.json").text)
    assert [call.name for call in list_trial_calls(trial, {"r": made})] == ["mkdirat", "clone3"]
    assert list_trial_calls(profile(), {"r": made}) == []


def log_of(tmp_path: Path, *lines: bytes) -> DenialLog:
    file = tmp_path / "trial.log"
    file.write_bytes(b"".join(lines))
    return read_denial_log(file)


def at(hour: int) -> str:
    return f"2026-11-27T{hour:02}:00:00Z"


def quiet_hours(log: DenialLog, *ignored: str) -> float:
    trial = profile(make_trial(TEXT, "app.json").text)
    is_new = find_new_denials(trial, options(*ignored).ignored)
    return measure_quiet([log], is_new).watched / HOUR


def test_quiet_time_is_watched_time_since_the_last_new_denial(tmp_path: Path) -> None:
    log = log_of(
        tmp_path,
        event("begin", at(1)),
        line("mkdirat", until=at(2), answer="log"),
        line("statx", until=at(4), answer="errno"),
        line("read", until=at(5), answer="log"),
        event("end", at(6)),
        event("begin", at(10)),
        event("alive", at(12)),
        line("mkdirat", until=at(11), answer="log", stage="runtime"),
    )
    assert quiet_hours(log) == 4 + 2
    assert quiet_hours(log, "mkdirat") == 5 + 2
    with pytest.raises(SeclatchError, match="watched 6 h 0 min since the last new denial, 2026"):
        require_quiet(
            [log],
            measure_quiet(
                [log], lambda group: group.seen.name == "mkdirat" and (not group.seen.runtime)
            ),
            24 * HOUR,
        )


def test_a_killed_watcher_and_lost_denials_count_against_it(tmp_path: Path) -> None:
    log = log_of(
        tmp_path,
        event("begin", at(1)),
        event("alive", at(3)),
        event("begin", at(9)),
        event("lost", at(10), count=7),
        event("end", at(12)),
    )
    assert quiet_hours(log) == 2


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ((), "needs the log of the trial"),
        ((event("begin", at(1), sees=["errno"]), event("end", at(9))), "does not see SCMP_ACT_LOG"),
        ((line("mkdir"),), "no begin event"),
        ((event("begin", at(1)), b"{\n", event("end", at(9))), "line 2 cannot be read"),
        ((event("begin", at(1)), event("end", at(2))), "in all, without a new denial"),
    ],
)
def test_a_log_that_shows_too_little_is_refused(
    tmp_path: Path, lines: tuple[bytes, ...], problem: str
) -> None:
    logs = [log_of(tmp_path, *lines)] if lines else []
    quiet = measure_quiet(logs, lambda _: False)
    with pytest.raises(SeclatchError, match=problem):
        require_quiet(logs, quiet, 2 * HOUR)
    require_quiet(logs, quiet, timedelta())


def test_facts_name_what_was_seen_and_what_was_not(tmp_path: Path) -> None:
    log = log_of(
        tmp_path,
        event("begin", at(1), selection=["--container web"]),
        line("mkdirat", answer="log"),
        line("rmdir", answer="log", stage="exec-session", exe="/bin/sh", count=3),
        event("lost", at(2), count=4),
        event("end", at(3)),
    )
    facts = list(list_facts([log], [recording([])], measure_quiet([log], lambda _: False)))
    assert facts == [
        "watched 2 h 0 min on web1, in 1 piece; the watcher was started 1 time",
        "watched 1 h 0 min since the last new denial",
        "containers with a denial: 1",
        "executables with a denial: /bin/sh, /usr/sbin/nginx",
        "executables recorded, and without a denial: none",
        "denials in exec sessions and health checks: 3",
        "denials that no line describes: 4",
        "the watcher chose processes by: --container web",
    ]


def test_times_are_written_in_two_units() -> None:
    times = [timedelta(seconds=5), timedelta(minutes=3, seconds=7), timedelta(days=2, minutes=9)]
    assert list(map(format_time, times)) == ["5 s", "3 min 7 s", "48 h 9 min"]


def test_recorded_calls_that_may_be_allowed_are_not_listed() -> None:
    two = '"value": 2}, {"index": 1, "op": "SCMP_CMP_EQ", "value": 1}'
    trial = profile(make_trial(TEXT.replace('"value": 2}', two), "app.json").text)
    values = [
        RecordedArgument(
            stage="program", arch="x86_64", name="socket", index=0, value=value, count=1
        )
        for value in (2, 16)
    ]
    made = recording(calls("program", "socket", count=2), arguments=values)
    assert [call.selector for call in list_trial_calls(trial, {"r": made})] == [16]

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings

from seclatch.model.recording.recording import RecordedArgument, Recording, RecordingGap
from seclatch.output.printable_text import make_printable
from seclatch.profile.generate.profile_fit import fit_profile
from seclatch.profile.parse.load_profile import parse_profile
from seclatch.report.compose_report import compose_report
from seclatch.report.document.report_document import Report, make_schema
from seclatch.report.html_page import render_page
from seclatch.report.terminal_report import render_report as render_text
from tests.examples import examples
from tests.unit.recordings import calls, recording, recordings
from tests.unit.report.starts import HOSTILE, crowd, start

SCHEMA = Path(__file__).parents[3] / "src/seclatch/data/schemas/report-1.json"


def report(recording: Recording) -> Report:
    return compose_report(recording, fit_profile(recording))


@pytest.mark.parametrize("latched", [True, False])
def test_the_page_shows_where_the_filter_begins(latched: bool) -> None:
    page = render_page(report(start(latched=latched)))
    assert page.partition("<template")[0].count("the filter begins here") == 1
    assert ("suspended by the latch: 10.0 ms" in page or "filtered-init, suspended" in page) == (
        latched
    )


def test_hostile_text_stays_text() -> None:
    page = render_page(report(start(latched=True, argv=("/bin/x", *HOSTILE))))
    assert page.count("<script") == page.count("</script>") == 1
    assert "<img" not in page
    assert "\u202e" not in page and "\x1b" not in page
    assert "{{ 7 * 7 }}" in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("value", [2, 40, None])
def test_a_conditional_rule_is_decided_by_the_recorded_argument(value: int | None) -> None:
    """The page's red border and the text's list name denied calls, and no others."""
    args = [{"index": 0, "value": 40, "op": "SCMP_CMP_NE"}]
    rule = {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": args}
    profile = parse_profile(
        json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}), "x"
    )
    made = recording(
        calls("program", "socket"),
        arguments=[]
        if value is None
        else [
            RecordedArgument(
                stage="program", arch="x86_64", name="socket", index=0, value=value, count=1
            )
        ],
    )
    shown = compose_report(made, fit_profile(made, profile, "x"))
    page, text = render_page(shown), render_text(shown, 200)
    assert ('class="card bad"' in page) == (value == 40)
    assert ("denies, though the program used it: socket" in text) == (value == 40)
    assert ("For some arguments" in page) == (value is None)
    assert ("for some arguments, and the recording does not tell" in text) == (value is None)


def test_gaps_are_named_on_the_page_and_in_the_text() -> None:
    gaps = [RecordingGap(began=2.5, ended=64.0)]
    sentence = "nothing was recorded from 2.500 s to 1 min 4 s: the recorder was restarted"
    shown = report(recording([], duration=100.0, gaps=gaps))
    assert f"</strong> {sentence}.</p>" in render_page(shown)
    assert f"not everything is here: {sentence}\n" in render_text(shown, 200)
    whole = report(recording([], duration=100.0))
    assert "restarted" not in render_page(whole) + render_text(whole, 200)


def test_a_name_of_a_megabyte_is_cut() -> None:
    recording = start(latched=True, argv=("/bin/" + "x" * 1_000_000,))
    assert len(render_page(report(recording)).encode()) < 500_000


def test_hostile_text_in_the_terminal() -> None:
    for hostile in HOSTILE:
        text = render_text(report(start(latched=True, argv=("/bin/x", hostile))), 200)
        assert "\x1b" not in text and "\u202e" not in text
        assert make_printable(hostile)[:10] in text


def test_the_page_makes_no_request() -> None:
    page = render_page(report(start(latched=True)))
    assert not re.findall(r"\b(?:src|srcset|action|formaction|data|poster)\s*=", page)
    assert all(target.startswith("#") for target in re.findall(r"href=\"([^\"]*)", page))
    assert "@import" not in page
    assert not re.findall(r"url\((?!#)", page)
    assert "default-src &#39;none&#39;" in page


@pytest.mark.parametrize("alike", [True, False])
def test_ten_thousand_processes_are_a_small_page(alike: bool) -> None:
    assert len(render_page(report(crowd(10_000, alike=alike))).encode()) < 500_000


@settings(max_examples=examples(30), deadline=None)
@given(recordings())
def test_any_recording_can_be_shown(recording: Recording) -> None:
    made = report(recording)
    assert render_page(made).endswith("</html>\n") or render_page(made).endswith("</html>")
    assert render_text(made, 80)
    jsonschema.validate(json.loads(msgspec.json.encode(made)), json.loads(SCHEMA.read_bytes()))


def test_the_published_schema_is_that_of_the_types() -> None:
    assert json.loads(SCHEMA.read_bytes()) == make_schema()


def test_page_and_terminal_say_why_each_call_is_allowed() -> None:
    shown = report(start(latched=True))
    page, text = render_page(shown), render_text(shown, 200)
    assert "no process can do without" not in text and "allows" in text
    assert re.search(r"<code>read</code></th><td>recorded \d+ times? by ", page)
    assert "always: a process whose exit is denied" in page
    assert "<code>mkdir</code>: denied while recording" in page
    assert "`seclatch generate` allows" in text and "left out: mkdir" in text

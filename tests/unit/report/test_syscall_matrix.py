"""The columns that a scan adds to the table."""

from __future__ import annotations

from seclatch.report.compose_report import compose_report
from seclatch.report.document.syscall_matrix import make_matrix, show_scan_verdict
from seclatch.report.html_page import render_page
from seclatch.report.terminal_report import render_report as render_text
from tests.unit.report.starts import scan, start


def test_recorded_or_only_in_the_binaries() -> None:
    made = make_matrix(start(latched=True), scan("read", "mkdir", "ptrace", "capset"))
    result = {line.name: (line.need, show_scan_verdict(line)) for line in made.lines}
    assert result["read"] == ("program", "found")
    assert result["mkdir"] == ("program", "found")  # it was denied, so it was issued
    assert result["close"] == ("both", "not found")
    assert result["ptrace"] == ("static", "found")
    assert result["capset"] == ("runtime", "found")
    assert result["execve"] == ("runtime", "")
    assert (made.scan, made.whole) == ("app.tar", True)


def test_without_a_scan_there_is_no_column() -> None:
    report = compose_report(start(latched=True))
    assert {line.scanned for line in report.matrix.lines} == {None}
    assert "in the binaries" not in render_page(report)
    assert "binaries" not in render_text(report, 120)


def test_both_forms_show_it_and_keep_its_name_text() -> None:
    report = compose_report(start(latched=True), None, scan("ptrace", source="<img src=x>\x1b[31m"))
    page, text = render_page(report), render_text(report, 120)
    assert "<img" not in page and "\x1b" not in page + text
    assert "&lt;img src=x&gt;" in page
    assert 'class="static"' in page
    row = next(line for line in text.splitlines() if line.startswith("ptrace "))
    assert row.split() == ["ptrace", "static", "found"]

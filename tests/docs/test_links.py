"""Links in the documentation resolve, and the tests that it names exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]+)(?:#([^)]*))?\)")
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text).lower().replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for path, anchor in LINK.findall(page.read_text()):
        target = page.parent / path
        assert target.exists(), f"{page.name} links to {path}"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{page.name} links to {path}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_tests_exist(page: Path) -> None:
    for file, name in TEST.findall(page.read_text()):
        path = ROOT / file
        assert path.exists(), f"{page.name} names {file}"
        functions = {
            node.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.FunctionDef)
        }
        assert not name or name in functions, f"{page.name} names {file}::{name}"


def test_every_page_is_found_from_the_readme() -> None:
    found, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in found:
            continue
        found.add(page)
        for path, _ in LINK.findall(page.read_text()):
            target = (page.parent / path).resolve()
            waiting += [target] if target.suffix == ".md" else []
            if target.is_dir():
                found |= set(target.glob("*.md"))
    missed = {str(page.relative_to(ROOT)) for page in PAGES} - {
        str(page.relative_to(ROOT)) for page in found
    }
    assert missed <= {"CHANGELOG.md"}


def test_every_promise_of_security_names_a_test() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    promises = re.split(r"^\*\*\d+\. ", text, flags=re.MULTILINE)[1:]
    assert len(promises) == 7
    for promise in promises:
        assert TEST.search(promise.split("\n## ")[0]), promise.splitlines()[0]


def test_each_decision_has_a_subject_date_and_status_and_is_in_the_index() -> None:
    folder = ROOT / "docs/decisions"
    index = (folder / "README.md").read_text()
    for page in sorted(folder.glob("0*.md")):
        title, blank, status, *_ = page.read_text().splitlines()
        number, _, subject = title.removeprefix("# ").partition(": ")
        assert page.name.startswith(f"{number}-")
        assert blank == ""
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\d · (accepted|rejected|superseded)(, .* \d{4})*", status
        ), page.name
        assert f"| [{number}]({page.name}) | {subject} |" in index

"""The report in a real browser: layout, keyboard, contents, no script injection, no request."""

from __future__ import annotations

import json
import re
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import DESKTOP, PHONE, PROFILE, Open, seclatch

Pages = Callable[[str], Path]

NAMES = ["latched", "plain", "hostile", "crowd"]
SIZES = {"phone": PHONE, "narrow": {"width": 320, "height": 600}, "desktop": DESKTOP}


def outside(page: Page) -> list[str]:
    """Find elements beyond the right edge of the window, except in scrollable regions."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('body *')].filter(each =>
             !each.closest('.scroll, pre, defs, .hidden, .skip, .what') &&
             each.getBoundingClientRect().right > innerWidth + 1
           ).map(each => each.outerHTML.slice(0, 200))"""
    )
    return found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_overflows_the_window(visit: Open, name: str, size: str) -> None:
    page = visit(name, viewport=SIZES[size]).page
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    assert outside(page) == []


@pytest.mark.parametrize("look", ["light", "dark", "magnified", "print"])
@pytest.mark.parametrize("name", ["latched", "plain", "hostile"])
def test_axe_finds_no_barrier(visit: Open, name: str, look: str) -> None:
    """axe-core: contrast, names, landmarks, order of headings, scrollable regions and more."""
    page = visit(name, color_scheme="dark" if look == "dark" else "light").page
    if look == "print":
        page.emulate_media(media="print")
    if look == "magnified":
        page.get_by_role("button", name="Go to where the filter begins").click()
    results = Axe().run(page)
    assert [(each["id"], each["nodes"][0]["html"]) for each in results.response["violations"]] == []


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_where_the_filter_begins_with_the_latch(visit: Open, size: str) -> None:
    page = visit("latched", viewport=SIZES[size]).page
    assert "from its first instruction" in page.locator("#starts h3").inner_text()
    parts = page.locator("#starts .part")
    assert [parts.nth(n).locator(".state").inner_text().lower() for n in range(3)] == [
        "no filter",
        "filter loaded, but suspended",
        "under the filter",
    ]
    expect(parts.nth(2).locator(".flag")).to_be_visible()
    lane = page.locator(".lane.main")
    ruler = box(page, ".axis .ruler.binds")
    bound = lane.locator(".bar.filtered").first.bounding_box()
    suspended = lane.locator(".bar.suspended").last.bounding_box()
    assert bound and suspended
    assert bound["x"] == pytest.approx(ruler, abs=3)
    assert suspended["x"] + suspended["width"] == pytest.approx(ruler, abs=3)
    assert suspended["width"] > 3


def test_where_the_filter_begins_without_the_latch(visit: Open) -> None:
    page = visit("plain").page
    assert "The program never started" in page.locator("#starts h3").inner_text()
    expect(page.locator("#starts .part").nth(1).locator(".flag")).to_be_visible()
    expect(page.locator("#starts .part").nth(2)).to_contain_text("the image's program")
    bound = page.locator(".lane.main .bar.filtered").first.bounding_box()
    assert bound
    assert bound["x"] == pytest.approx(box(page, ".axis .ruler.binds-early"), abs=3)
    marks = page.locator(".lane.main .glyph.denied")
    assert marks.count() >= 1
    for index in range(marks.count()):
        mark = marks.nth(index).bounding_box()
        assert mark
        assert bound["x"] - 1 <= mark["x"] + mark["width"] / 2 <= bound["x"] + bound["width"] + 1
    assert page.locator(".bar.suspended:not(.key *)").count() == 0


def box(page: Page, selector: str) -> float:
    found = page.locator(selector).bounding_box()
    assert found
    return found["x"] + found["width"] / 2


def test_every_control_is_reachable_by_keyboard(visit: Open) -> None:
    page = visit("latched").page
    focused = "document.activeElement"
    page.keyboard.press("Tab")
    assert page.evaluate(f"{focused}.className") == "skip"
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(f"{focused}.id || {focused}.textContent.trim().slice(0, 30)"))
    order = ["Timeline", "find", "need", "only-denied", "call", "needed by"]
    assert [seen.index(each) for each in order] == sorted(seen.index(each) for each in order)
    assert seen.index("generated") < seen.index("find") if "generated" in seen else True


def test_sorting_by_keyboard(visit: Open) -> None:
    page = visit("latched").page
    button = page.get_by_role("button", name="program", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    head = page.locator("#matrix thead th").last
    assert head.get_attribute("aria-sort") == "descending"
    counts = column(page, -1)
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 0
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(page, -1) == sorted(counts)


def column(page: Page, index: int) -> list[int]:
    return [
        sum(int(word.replace(",", "")) for word in text.split() if word[0].isdigit())
        for text in page.evaluate(
            "i => [...document.querySelectorAll('#matrix tbody tr')].map(r => "
            "[...r.cells].at(i).textContent)",
            index,
        )
    ]


def test_searching(visit: Open) -> None:
    page = visit("latched").page
    rows = page.locator("#matrix tbody tr")
    total = rows.count()
    page.get_by_label("Find").press_sequentially("mkd")
    names = rows.locator("visible=true").locator("th").all_inner_texts()
    assert "mkdir" in names
    assert all("mkd" in name for name in names)
    assert f"{len(names)} of {total} calls" in page.locator("#found").inner_text()
    page.get_by_label("Find").fill("")
    page.get_by_label("Needed by").select_option("runtime")
    names = rows.locator("visible=true").locator("th").all_inner_texts()
    assert "capset" in names and "mkdir" not in names
    page.get_by_label("Needed by").select_option("")
    page.get_by_label("only denied").check()
    names = rows.locator("visible=true").locator("th").all_inner_texts()
    assert "mkdir" in names and "capset" not in names


def test_copying_the_profile(visit: Open) -> None:
    page = visit("latched", permissions=["clipboard-read", "clipboard-write"]).page
    page.locator(".generated summary").click()
    page.get_by_role("button", name="Copy the profile").press("Enter")
    expect(page.locator("#copied")).to_have_text("Copied.")
    profile = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert "write" in profile["syscalls"][0]["names"]
    assert "capset" not in profile["syscalls"][0]["names"]


def test_the_sentence_is_title_heading_and_what_links_show(visit: Open) -> None:
    page = visit("latched").page
    sentence = page.locator("h1").inner_text()
    assert sentence == page.locator("#starts h3").first.inner_text()
    assert page.title() == f"{sentence} · seclatch report"
    content = "name => document.querySelector(`meta[property='og:${name}']`).content"
    assert page.evaluate(content, "title") == sentence
    assert "system calls" in page.evaluate(content, "description")


def test_copying_the_picture(visit: Open) -> None:
    page = visit("latched", permissions=["clipboard-read", "clipboard-write"]).page
    page.get_by_role("button", name="Copy it as SVG").press("Enter")
    expect(page.locator("#shared")).to_have_text("Copied.")
    svg = page.evaluate("navigator.clipboard.readText()")
    assert 'width="1200" height="630"' in svg and "from its first" in svg
    page.get_by_role("button", name="Copy the picture").press("Enter")
    read = """async () => {
      const [item] = await navigator.clipboard.read();
      if (!item.types.includes("image/png")) return null;
      const picture = await createImageBitmap(await item.getType("image/png"));
      return [picture.width, picture.height];
    }"""
    # The text of before stays until the picture is drawn.
    end = time.monotonic() + 30
    while (size := page.evaluate(read)) is None and time.monotonic() < end:
        page.wait_for_timeout(50)
    assert size == [1200, 630]
    assert "data:image/svg+xml" in (page.locator("#save").get_attribute("href") or "")


def test_magnifying_the_timeline(visit: Open) -> None:
    page = visit("latched").page
    bar = page.locator(".lane.main .bar.suspended").last
    before = bar.bounding_box()
    page.get_by_role("button", name="Go to where the filter begins").press("Enter")
    expect(page.locator("#zoomed")).to_have_text("8 \N{MULTIPLICATION SIGN}")
    after = bar.bounding_box()
    assert before and after
    assert after["width"] == pytest.approx(8 * before["width"], rel=0.05)
    chart = page.locator("#chart").bounding_box()
    assert chart
    assert chart["x"] < box(page, ".axis .ruler.binds") < chart["x"] + chart["width"]
    names = page.locator(".lane.main .who").bounding_box()
    assert names and names["x"] >= chart["x"]
    assert page.evaluate("document.documentElement.scrollWidth") <= DESKTOP["width"]
    page.get_by_label("Magnify").fill("1")
    assert bar.bounding_box() == pytest.approx(before, abs=1)


@pytest.mark.parametrize("name", ["latched", "hostile"])
def test_without_javascript_it_shows_the_same(visit: Open, name: str) -> None:
    page = visit(name, java_script_enabled=False).page
    for control in ("#filters", "#share", "#lens"):
        expect(page.locator(control)).to_be_hidden()
    expect(page.locator("#matrix tbody tr").first).to_be_visible()
    expect(page.locator(".chart .lane").first).to_be_visible()
    assert page.locator("#tree tbody tr").count() >= 4
    page.locator(".generated summary").click()
    expect(page.locator("#generated")).to_be_visible()
    expect(page.get_by_role("button", name="Copy the profile")).to_be_hidden()


def test_hostile_names_are_text(visit: Open) -> None:
    page = visit("hostile").page
    assert page.locator("script").count() == 1
    assert page.locator("img").count() == 0
    text = page.locator("#tree").inner_text()
    assert "</script><script>alert(1)</script>" in text
    assert "{{ 7 * 7 }}" in text
    assert r"\u202egnp.exe" in text


def test_a_script_that_got_in_would_reach_nothing(visit: Open, tmp_path: Path) -> None:
    """The security policy is the second defence: without the first, it must still hold."""
    (tmp_path / "other.js").write_text("document.title = 'loaded'")
    made = visit("latched")
    page = made.page
    title = page.title()
    page.evaluate(
        """url => {
          document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="document.title=1">');
          for (const text of ['', 'document.title = 2']) {
            const script = document.createElement('script');
            if (text) script.textContent = text; else script.src = url;
            document.body.append(script);
          }
          return fetch(url).catch(() => 0);
        }""",
        (tmp_path / "other.js").as_uri(),
    )
    page.wait_for_timeout(200)
    assert page.title() == title
    refused = [line for line in made.console if "Content Security Policy" in line]
    assert len(refused) >= 4, made.console
    made.console.clear()  # errors are expected here
    made.requests[1:] = [each for each in made.requests[1:] if not each.startswith("file:")]


def test_printing(visit: Open) -> None:
    page = visit("latched", viewport={"width": 794, "height": 1123}).page
    page.emulate_media(media="print")
    expect(page.locator("nav")).to_be_hidden()
    expect(page.locator("#filters")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 794
    assert page.evaluate("getComputedStyle(document.querySelector('.axis')).position") == "static"
    printed = page.pdf(print_background=True, format="A4", prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 2
    expect(page.locator("#matrix tr.runtime").first).to_be_visible()
    expect(page.locator("#matrix tr.outside").first).to_be_hidden()


def test_ten_thousand_processes(visit: Open) -> None:
    page = visit("crowd").page
    assert page.evaluate("document.querySelectorAll('*').length") < 8000
    expect(page.locator(".chart")).to_contain_text("more")
    expect(page.locator("#processes")).to_contain_text("more processes are in the recording")


@pytest.mark.parametrize("name", NAMES)
def test_the_card_as_a_picture(pages: Pages, browser: Browser, name: str, tmp_path: Path) -> None:
    """Chromium renders it, and no text leaves the picture or its box."""
    recording = pages(name).with_suffix(".json")
    for ending in ("png", "svg"):
        words = ["--profile", PROFILE, "-o", tmp_path / f"card.{ending}", recording]
        seclatch("report", "--card", *words)
    assert struct.unpack(">II", (tmp_path / "card.png").read_bytes()[16:24]) == (1200, 630)
    page = browser.new_page()
    page.goto((tmp_path / "card.svg").as_uri())
    wide = page.evaluate(
        """() => [...document.querySelectorAll("text")].filter(each => {
             const box = each.getBBox();
             return box.x < 40 || box.x + box.width > 1160;
           }).map(each => each.textContent)"""
    )
    page.close()
    assert wide == []

"""Run Debian's Chromium, headless, on pages that `seclatch report` makes of real recordings."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from seclatch.recording.files import recording_file
from seclatch.scan.scan_document import encode_scan
from tests.latch.oci import SCRIPTS
from tests.unit.report.starts import HOSTILE, crowd, scan, start

CHROMIUM = shutil.which("chromium")
PROFILE = Path(__file__).parents[1] / "data" / "stali-like.json"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
]

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip on a machine without the browser, with the reason; in CI that is a failure."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here) and not CHROMIUM and not os.environ.get("CI"):
            item.add_marker(pytest.mark.skip(reason="not installed: chromium"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    assert CHROMIUM, "install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def seclatch(*words: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [SCRIPTS / "seclatch", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Provide pages(NAME): the file of one of four pages; the first two are of real starts.

    latched, plain: a container under a strict profile, with and without the latch (needs root).
    hostile: names with control characters and markup. crowd: ten thousand processes.
    """
    folder = tmp_path_factory.mktemp("pages")
    made: dict[str, Path] = {}

    def record(name: str) -> None:
        mode = ["--plain"] if name == "plain" else []
        script = "ls /bin/true; mkdir /tmp/new; exit 3"
        words = ["run", *mode, "--profile", PROFILE, "--", "sh", "-c", script]
        seclatch(
            "record",
            "-o",
            folder / f"{name}.json",
            "--",
            SCRIPTS / "seclatch",
            *words,
            status=125 if mode else 3,
        )

    def page(name: str) -> Path:
        if name not in made:
            if name in ("latched", "plain"):
                if os.geteuid():
                    pytest.skip("recording a start needs root")
                record(name)
            else:
                hostile = ("/bin/" + "long" * 40, *HOSTILE)
                value = crowd(10_000) if name == "crowd" else start(latched=True, argv=hostile)
                recording_file.write_recording(folder / f"{name}.json", value)
            made[name] = folder / f"{name}.html"
            more: list[str | Path] = []
            if name == "hostile":
                more = ["--scan", folder / "scan.json"]
                (folder / "scan.json").write_bytes(
                    encode_scan(scan("read", "ptrace", source=HOSTILE[0] + "long" * 40))
                )
            words = ["--profile", PROFILE, *more, "-o", made[name], folder / f"{name}.json"]
            seclatch("report", *words)
        return made[name]

    return page


@dataclass
class Visit:
    """An open page, with its console output and requests."""

    page: Page
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


Open = Callable[..., Visit]


@pytest.fixture
def visit(browser: Browser, pages: Callable[[str], Path]) -> Iterator[Open]:
    """Provide visit(NAME, viewport=…, …): open a page in a context of its own.

    At the end, the page must have made no request and printed nothing to the console.
    """
    visits: list[Visit] = []

    def open_page(name: str, *, viewport: dict[str, int] = DESKTOP, **options: object) -> Visit:
        context = browser.new_context(viewport=viewport, **options)
        page = context.new_page()
        made = Visit(page)
        page.on("console", lambda message: made.console.append(message.text))
        page.on("pageerror", lambda error: made.console.append(str(error)))
        page.on("dialog", lambda dialog: made.console.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: made.requests.append(request.url))
        page.goto(pages(name).as_uri())
        visits.append(made)
        return made

    yield open_page
    for each in visits:
        each.page.context.close()
        assert each.console == []
        assert len(each.requests) == 1, each.requests

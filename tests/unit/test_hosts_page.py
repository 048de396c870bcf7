"""docs/hosts.md: machines that are not booted again stay in it as they were."""

from pathlib import Path

from tests.hosts.report import BEGIN, END, Findings, join, read_console, read_page, write_page

LONG = "ok; filters are only counted, not identified: this kernel has no type information (BTF)"
CONSOLE = (
    "@@ commit abc1234, 2026-11-27",
    "@@ BOOTED 7.83 5.8.0-63-generic lockdown,capability",
    "@@ CHECK doctor: ok (84 s)",
    f"@@ CHECK ps: {LONG} (8 s)",
    "@@ ENDED 627.1",
)


def test_a_page_is_read_as_it_was_written(tmp_path: Path) -> None:
    page = tmp_path / "hosts.md"
    page.write_text(f"# Kernels\n\n{BEGIN}{END}after\n")
    assert read_page(page) == {}
    modern = Findings("6.12.1", "lockdown,bpf", "commit def, 2026-11-28", {"doctor": "ok"})
    found = {"focal": read_console(CONSOLE), "trixie": modern}
    write_page(page, found)
    first = page.read_text()
    again = read_page(page)
    assert again["focal"].outcomes == {"doctor": "ok", "ps": LONG}
    assert again["trixie"] == modern
    write_page(page, again)
    assert page.read_text() == first


def test_what_was_not_checked_again_keeps_its_commit() -> None:
    before = Findings("5.8", "", "commit old", {"doctor": "refused", "docker run": "ok"})
    joined = join(before, Findings("5.8", "", "commit new", {"doctor": "ok"}))
    assert joined.outcomes == {"doctor": "ok", "docker run": "ok"}
    assert joined.commit == "commit new; engines: commit old"
    again = join(joined, Findings("5.8", "", "commit newest", {"doctor": "ok"}))
    assert again.commit == "commit newest; engines: commit old"
    assert (
        join(before, Findings("5.8", "", "commit new", dict(before.outcomes))).commit
        == "commit new"
    )

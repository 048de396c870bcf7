"""Retry failed tests of the real thing once; show both results.

A pytest plugin on top of pytest-rerunfailures (docs/decisions/0083-flaky-test-policy.md).
"""

from __future__ import annotations

from pathlib import Path

import pytest

PURE = Path(__file__).parent / "unit"

# More failures than this in one run are not chance, whatever the retry shows.
MOST = 3

DELAY = 2  # seconds, for processes that are still exiting


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Allow a retry where kernels, runtimes and engines take part; tests of values get none."""
    if not config.pluginmanager.hasplugin("rerunfailures"):
        return
    for item in items:
        if not item.path.is_relative_to(PURE):
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=DELAY))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that needed too many retries."""
    if session.exitstatus == pytest.ExitCode.OK and len(_first_tries(session.config)) > MOST:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show each first failure as fully as a final one."""
    failed = _first_tries(terminalreporter.config)
    if not failed:
        return
    terminalreporter.section(f"failed at the first try: {len(failed)} (at most {MOST} may)")
    for report in failed:
        terminalreporter.write_sep("_", f"{report.nodeid} ({report.when})")
        terminalreporter.write_line(report.longreprtext)


def _first_tries(config: pytest.Config) -> list[pytest.TestReport]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return reporter.stats.get("rerun", []) if reporter else []

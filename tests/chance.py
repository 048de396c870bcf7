"""A second try for tests of the real thing, both shown (docs/decisions/0083-flaky-test-policy.md).

A pytest plugin on top of pytest-rerunfailures, which does the trying again.
"""

from __future__ import annotations

from pathlib import Path

import pytest

PURE = Path(__file__).parent / "unit"

# More failures than this in one run are not chance, whatever the second try says.
MOST = 3

DELAY = 2  # seconds: time for what still ends to end


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Kernels, runtimes and engines may fail by chance; tests of values have no such excuse."""
    if not config.pluginmanager.hasplugin("rerunfailures"):
        return
    for item in items:
        if not item.path.is_relative_to(PURE):
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=DELAY))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that needed too many second tries."""
    if session.exitstatus == pytest.ExitCode.OK and len(_first_tries(session.config)) > MOST:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show each first failure as if it had been the last word."""
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

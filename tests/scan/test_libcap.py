"""libcap makes the calls that change a process' state for the functions that change it alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.scan.summary.summary_cache import SummaryCache
from tests.scan.built import scan_built

CHANGES = {"capset", "setuid", "setgid", "setgroups", "chroot"}
CASES = {
    "cap_get_proc": set(),
    "cap_set_proc": {"capset"},
    "cap_drop_bound": set(),  # by prctl(2), which its constructor makes anyway
    "cap_setuid": {"capset", "setuid"},
    "cap_setgroups": {"capset", "setgid", "setgroups"},
    "cap_launch": CHANGES,
    "cap_set_syscall": CHANGES,
}


@pytest.mark.parametrize("function", CASES)
def test_calls_for_a_function(function: str, cache: SummaryCache, tmp_path: Path) -> None:
    source = f"long {function}(); int main(int n) {{ return {function}(n) != 0; }}"
    found = scan_built(source, ["-l:libcap.so.2"], cache, tmp_path)
    assert {each.name for each in found.calls} & CHANGES == CASES[function]
    assert not found.open

"""Ends of functions: a call that does not return does not lead to the code behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from seclatch.scan.summary.summary_cache import SummaryCache
from tests.scan.built import calls

# acct(2) lies behind a function that ends with a call of __stack_chk_fail.
GUARDED = """
#include <unistd.h>
__attribute__((noinline)) int first(int n) { char b[64]; read(n, b, 64); return b[n]; }
__attribute__((used, noinline)) int behind(char *p) { return acct(p); }
int main(int n, char **v) { return first(n); }
"""

# Written in assembler: `first` calls, and continues with the code behind the call.
FALLING = """
int first(void);
int main(void) { return first(); }
asm(".text\\n.globl first\\n.type first, @function\\n.globl behind\\n.type behind, @function\\n"
    "first: FRAME\\n call other\\n BETWEEN\\n"
    "behind: AGAIN\\n mov $163, %eax\\n syscall\\n ret\\n END\\n"
    ".type other, @function\\nother: ret\\n");
"""


@pytest.mark.parametrize("flags", [[], ["-fno-plt"], ["-no-pie"], ["-static"], ["-s"]])
def test_a_call_that_ends_a_function(flags: list[str], cache: SummaryCache, tmp_path: Path) -> None:
    guard = ["-O2", "-fstack-protector-all", "-fno-reorder-functions", "-fno-toplevel-reorder"]
    assert "acct" not in calls(GUARDED, guard + flags, cache, tmp_path)
    called = GUARDED.replace("first(n);", "first(n) + behind(v[0]);")
    assert "acct" in calls(called, guard + flags, cache, tmp_path)


FRAMES = ("none", "one", "two")


@pytest.mark.parametrize("frames", FRAMES)
def test_a_call_that_returns(frames: str, cache: SummaryCache, tmp_path: Path) -> None:
    """No frame; a symbol within a frame; from one frame into the next, which no compiler emits."""
    source = FALLING
    for word, used, text in (
        ("FRAME", frames != "none", ".cfi_startproc"),
        ("BETWEEN", frames == "two", ".cfi_endproc"),
        ("AGAIN", frames == "two", ".cfi_startproc"),
        ("END", frames != "none", ".cfi_endproc"),
    ):
        source = source.replace(word, text if used else "")
    assert "acct" in calls(source, ["-O2", "-no-pie"], cache, tmp_path)

"""Values that programs pass in the selected arguments, found by scans of programs built here."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seclatch.profile.generate.arguments.narrow_arguments import MAPPERS, SELECTORS
from seclatch.profile.generate.arguments.scanned_arguments import list_compared
from seclatch.scan.analysis.passed_values import PLACES, SELECTED
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.scan.built import scan_built

HEAD = """
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
"""
Passed = tuple[set[int], tuple[str, ...]]
LINKED = {"dynamic": [], "no-plt": ["-fno-plt"], "static": ["-static"]}


def passed(source: str, flags: list[str], cache: SummaryCache, folder: Path) -> dict[str, Passed]:
    program = scan_built(HEAD + source, [*flags], cache, folder)
    assert program.arguments is not None
    names = {place: name for name, place in PLACES.items()}
    return {
        names[each.call, each.index]: (set(each.values), each.open) for each in program.arguments
    }


@pytest.mark.parametrize("linked", LINKED)
def test_constants_are_found_through_wrappers(
    linked: str, cache: SummaryCache, tmp_path: Path
) -> None:
    source = """
    static __attribute__((noinline)) int ask(int fd, long what) { return ioctl(fd, what, 0); }
    static __attribute__((noinline)) int set(int level, int name) {
      return setsockopt(0, level, name, &name, 4);
    }
    int main(int n, char **v) {
      prctl(n > 2 ? 15 : 38, 1, 0, 0, 0);
      set(6, n > 3 ? 31 : 77);
      syscall(SYS_setsockopt, n, 41, 67, v, 4);
      return ask(n, 0x5421) + ask(n, 0x8905) + socket(n > 1 ? 38 : 40, 2, 0);
    }"""
    found = passed(source, LINKED[linked], cache, tmp_path)
    assert {15, 38} <= found["prctl"][0]
    assert {0x5421, 0x8905} <= found["ioctl"][0]
    assert {38, 40} <= found["socket"][0]
    assert {6, 41} <= found["setsockopt"][0] and {31, 77, 67} <= found["setsockopt name"][0]
    assert found["prctl"][1] == found["setsockopt name"][1] == ()


@pytest.mark.parametrize(
    ("call", "text"),
    {
        "given": ("prctl", "prctl(n, 1, 0, 0, 0)"),
        "read": ("prctl", "prctl(*(volatile int *)v, 1, 0, 0, 0)"),
        "pointer": ("prctl", "({ int (*volatile p)(int, ...) = (void *)prctl; p(4, 1); })"),
        "syscall": ("prctl", "syscall(SYS_prctl, n, 1, 0, 0, 0)"),
        "computed": ("madvise", "madvise(v, 4096, n * 3 + 1)"),
        "second": ("setsockopt name", "setsockopt(0, 6, n, v, 4)"),
    }.values(),
)
def test_what_is_no_constant_opens_the_argument(
    call: str, text: str, cache: SummaryCache, tmp_path: Path
) -> None:
    found = passed(f"int main(int n, char **v) {{ return {text}; }}", [], cache, tmp_path)
    assert found[call][1], found[call]


def test_calls_by_number_are_followed(cache: SummaryCache, tmp_path: Path) -> None:
    source = (
        "int main(int n, char **v) { return syscall(SYS_ioctl, n, n > 1 ? 0x8918 : 0x8919, v); }"
    )
    values, unknown = passed(source, [], cache, tmp_path)["ioctl"]
    assert {0x8918, 0x8919} <= values and unknown == ()


def test_what_is_not_reached_does_not_count(cache: SummaryCache, tmp_path: Path) -> None:
    source = """
    static __attribute__((noinline, used)) int never(int n) { return prctl(n, 1, 0, 0, 0); }
    int main(int n, char **v) { return prctl(23, n, 0, 0, 0); }"""
    values, unknown = passed(source, [], cache, tmp_path)["prctl"]
    assert 23 in values and unknown == ()


WAYS = (
    "wrapped({value}u);",
    "ioctl(n, n > {at} ? {value}u : 7, 0);",
    "{{ unsigned a = {value}u; if (n == {at}) a = {value}u ^ 1; ioctl(n, a, 0); }}",
    "{{ volatile unsigned a = {value}u; ioctl(n, a, 0); }}",
    "{{ unsigned a[2] = {{{value}u, 1}}; ioctl(n, a[n & 1], 0); }}",
    "syscall(SYS_ioctl, n, {value}u, 0);",
    "switch (n) {{ case 1: wrapped({value}u); break; case 2: wrapped(9); }}",
)


@settings(
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(uses=st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.sampled_from(WAYS)), min_size=1))
def test_every_value_that_is_passed_is_found(
    uses: list[tuple[int, str]], cache: SummaryCache, tmp_path: Path
) -> None:
    """Whatever way a value takes to the call, it is listed or the argument is open."""
    body = "\n".join(way.format(value=value, at=at) for at, (value, way) in enumerate(uses))
    source = f"""
    static __attribute__((noinline)) int wrapped(unsigned what) {{ return ioctl(1, what, 0); }}
    int main(int n, char **v) {{ {body} return 0; }}"""
    values, unknown = passed(source, [], cache, tmp_path)["ioctl"]
    assert unknown or {value for value, _ in uses} <= values


def test_each_selected_argument_is_one_that_profiles_compare() -> None:
    for call, index in SELECTED.items():
        assert {**SELECTORS, **MAPPERS}[call] == index
    assert list_compared() <= set(PLACES.values())

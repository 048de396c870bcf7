"""Run a selection of tests in the guest, with one line for each on its console.

`python -m tests.arm64.guest.run NAME [--list]`, where NAME is a selection or tests with commas
between. With `--list` the tests are named and not run, which works on any machine: the host learns
from it how many must have passed.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable

import pytest

from tests.sweep.summary import PROPERTY
from tests.tighten.moments import PROPERTY as MOMENTS

# Existing tests of the project, unchanged, and those that only arm64 has. `checks` has each kind
# once or twice, `all` every combination; both run the same code on the same kernel.
EVERY = ("runc-privs", "runc-no_new_privs", "crun-privs", "crun-no_new_privs")
TWICE = ("runc-privs", "crun-no_new_privs")
BOOT = "tests/latch/test_boot.py::test_"
SWEEP = "tests/sweep/test_sweep.py"
METHODS = "tests/latch/test_methods.py::test_"
COUNTS = "tests/record/test_counts.py::test_counts_"
TIGHTEN = ("tests/tighten/test_calls_in_flight.py", "tests/tighten/test_states.py")
OWN_CONTAINERS = "tests/engines/test_tighten.py::test_"
MORE_OF_TIGHTEN = (
    "tests/tighten/test_tracer_killed.py",
    "tests/tighten/test_unsuspended.py",
    f"{OWN_CONTAINERS}a_user_tightens_an_own_container",
    f"{OWN_CONTAINERS}where_the_present_profile_denies_what_is_injected",
    f"{OWN_CONTAINERS}what_a_user_may_not_trace_and_what_is_not_known",
    "tests/tighten/test_command.py",
    "tests/engines/test_tighten_annotation.py::test_tightened_once_ready_at_each_start[docker]",
)


def only(test: str, names: Iterable[str], mode: str = "") -> list[str]:
    """Select some of a test's parameters, by name; pytest refuses an unknown one."""
    return [f"{test}[{name}{mode}]" for name in names]


SELECTIONS: dict[str, tuple[str, ...]] = {
    "checks": (
        "tests/arm64/guest/test_checks.py",
        *only(f"{BOOT}run_needs_nothing_for_the_runtime", EVERY, "-suspend"),
        *only(f"{BOOT}create_and_start_need_nothing_for_the_runtime", EVERY, "-suspend"),
        *only(f"{BOOT}exec_needs_nothing_for_the_runtime", TWICE, "-suspend"),
        *only(f"{BOOT}exec_needs_nothing_for_the_runtime", TWICE, "-gate"),
        *only(f"{BOOT}the_profile_of_the_original_question", EVERY, "-suspend"),
        *only(f"{BOOT}the_profile_of_the_original_question", ["runc-no_new_privs"], "-gate"),
        *only(f"{BOOT}the_first_instruction_is_bound", TWICE, "-suspend"),
        *only(f"{BOOT}the_host_sees_filter_and_no_tracer", TWICE, "-suspend"),
        *only(
            "tests/latch/test_intruders.py::test_a_hook_does_not_get_into_init",
            ["runc-suspend", "runc-hold", "crun-gate"],
        ),
        *only(f"{METHODS}the_errno_of_a_gated_call", ["runc-gate+exact", "crun-gate"]),
        *only(
            f"{METHODS}with_sys_admin_the_exact_filter_is_loaded_over_the_gate", ["runc", "crun"]
        ),
        *only(f"{METHODS}the_gate_cannot_be_opened_from_inside", ["runc-gate", "crun-gate+exact"]),
        "tests/apply/test_binding.py::test_first_instruction",
        *only(
            f"{SWEEP}::test_a_tracer_killed_from_the_load_to_the_release",
            ["hold-user-crun-run", "gate-root-crun-exec"],
        ),
        "tests/latch/test_fail_closed.py::test_nothing_starts_and_the_reason_is_printed",
        "tests/latch/test_fail_closed.py::test_no_tracer_is_left_behind",
        *only(
            "tests/latch/test_same_filter.py::test_filter_and_credentials_equal_the_bare_runtime_s",
            TWICE,
        ),
        "tests/engines/test_latch.py::test_run[docker-runc-no_new_privs]",
        "tests/engines/test_latch.py::test_the_host_s_view_and_exec[docker-crun-privs]",
        "tests/engines/test_install_docker.py::test_exec_and_stop_go_through_the_latch",
        *only(f"{COUNTS}are_those_of_strace", ["shell", "threads"]),
        *only(f"{COUNTS}of_a_start_are_those_of_strace", TWICE),
        *only(f"{COUNTS}of_an_exec_session_are_those_of_strace", ["crun-privs"]),
        *only(
            "tests/record/test_denials.py::test_each_denying_action", ["words0-7-3", "words2-0-1"]
        ),
        "tests/record/test_denials.py::test_an_allowed_call_is_not_denied",
        "tests/record/test_kernel_programs.py",
        *TIGHTEN,
    ),
    "tighten": (*TIGHTEN, *MORE_OF_TIGHTEN),
    "all": (
        "tests/arm64/guest/test_checks.py",
        "tests/latch/test_boot.py",
        "tests/latch/test_fail_closed.py",
        "tests/latch/test_same_filter.py",
        "tests/engines/test_latch.py::test_run",
        "tests/engines/test_latch.py::test_the_host_s_view_and_exec",
        "tests/engines/test_install_docker.py::test_exec_and_stop_go_through_the_latch",
        "tests/record/test_counts.py::test_counts_are_those_of_strace",
        "tests/record/test_counts.py::test_counts_of_a_start_are_those_of_strace",
        "tests/record/test_counts.py::test_counts_of_an_exec_session_are_those_of_strace",
        "tests/record/test_denials.py",
        "tests/record/test_kernel_programs.py",
        *TIGHTEN,
    ),
    "moments": ("tests/arm64/guest/test_moments.py",),
    "sweep": (SWEEP,),
    "programs": ("tests/arm64/guest/test_programs.py",),
}

# The guest has no such engine, no compiler, no int 0x80, and control groups of version 2 alone.
ABSENT = ("podman", "containerd", "[gcc]", "compat_calls", "frozen_by_version_2")


class Console:
    """A pytest plugin that prints one line a test for the host to read."""

    def __init__(self) -> None:
        self.counts = {"PASS": 0, "FAIL": 0, "SKIP": 0}
        self.began = time.monotonic()

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Leave out tests of parts that are missing in the guest."""
        left = [item for item in items if any(word in item.nodeid for word in ABSENT)]
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=left)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Print why a file cannot be imported."""
        if report.failed:
            print(f"\n@@ NOTE {report.nodeid}\n{report.longreprtext}", flush=True)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Print one line for the call, or for a phase around it that did not pass."""
        if report.outcome == "rerun":
            print(f"\n@@ NOTE failed at the first try: {report.nodeid}", flush=True)
            print("\n".join(report.longreprtext.splitlines()[-80:]), flush=True)
            return
        if report.passed and report.when != "call":
            return
        word = "PASS" if report.passed else "SKIP" if report.skipped else "FAIL"
        self.counts[word] += 1
        reason = ""
        if report.skipped and isinstance(report.longrepr, tuple):
            reason = f" ({report.longrepr[2]})"
        for name, value in report.user_properties:
            if name == PROPERTY:
                print(f"\n@@ NOTE sweep {value['row']}", flush=True)
            if name == MOMENTS:
                print(f"\n@@ NOTE {MOMENTS} {value}", flush=True)
        print(f"\n@@ {word} {report.nodeid} {report.duration:.1f}{reason}", flush=True)
        if report.failed:
            print("\n".join(report.longreprtext.splitlines()[-80:]), flush=True)

    def pytest_unconfigure(self) -> None:
        """Print the sum, which tells the host that the run was complete."""
        words = " ".join(f"{word}={count}" for word, count in self.counts.items())
        print(f"\n@@ RESULT {words} in {time.monotonic() - self.began:.0f} s", flush=True)


def main() -> int:
    """Run or list a selection."""
    name, *more = sys.argv[1:]
    chosen = SELECTIONS.get(name) or name.split(",")
    options = ["-q", "--no-header", "--no-summary", "-p", "no:cacheprovider"]
    if more == ["--list"]:
        os.environ["SECLATCH_GUEST"] = "1"
        return pytest.main([*options, "--collect-only", *chosen], plugins=[Lister()])
    options += ["--tb=short", "-o", "verbosity_assertions=2", "--timeout=600"]
    return pytest.main([*options, *chosen], plugins=[Console()])


class Lister(Console):
    """A pytest plugin that selects the same tests as the guest and prints their names."""

    def pytest_unconfigure(self) -> None:
        """Print no sum: no test was run."""


if __name__ == "__main__":
    sys.exit(main())

"""What more runs say: each story is the ends of runs with some calls allowed."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from seclatch.diagnose.confirm.judge_runs import Experiment, Experimenter
from seclatch.diagnose.confirm.run_ending import (
    Likeness,
    RunOutcome,
    compare_outcomes,
    mask_variable,
)

MKDIR = "mkdir: cannot create directory: Operation not permitted"
CALL = frozenset({(("mkdir", "d"), "mkdir")})
FAILS = RunOutcome(
    1, False, (MKDIR,), (MKDIR,), ("mkdir", "d"), denied=frozenset({"mkdir"}), deniers=CALL
)
WELL = RunOutcome(0, True)
OTHERWISE = RunOutcome(2, False, ("x: usage",), ("x: usage",), ("x",))


def like(first: RunOutcome, **more: object) -> RunOutcome:
    return RunOutcome(**{**first.__dict__, **more})


FREE = like(FAILS, denied=frozenset(), deniers=frozenset(), makers=CALL)


def experiment(
    ends: Callable[[frozenset[str]], RunOutcome], suspect: str = "mkdir", first: RunOutcome = FAILS
) -> Experiment:
    return Experimenter(first, suspect, ends).experiment()


def tried(found: Experiment) -> list[list[str]]:
    return [sorted(trial.allowed) for trial in found.trials]


def test_what_ends_well_with_the_call_allowed() -> None:
    found = experiment(lambda allowed: WELL if allowed else FAILS)
    assert (found.verdict, found.calls, found.reason) == (True, ("mkdir",), "")
    assert tried(found) == [[], ["mkdir"], []]


def test_a_failure_that_ends_by_itself_is_not_the_profile_s() -> None:
    ends = iter([FAILS, WELL, WELL])
    found = experiment(lambda allowed: next(ends))
    assert (found.verdict, found.reason) == (
        None,
        "run as it is once more, it did not fail the same way",
    )
    assert tried(found) == [[], ["mkdir"], []]


def test_what_fails_the_same_way_without_a_denial() -> None:
    found = experiment(lambda allowed: FREE if allowed else FAILS)
    assert (found.verdict, found.calls) == (False, ())


@pytest.mark.parametrize("end", [WELL, OTHERWISE])
def test_what_does_not_fail_the_same_way_again(end: RunOutcome) -> None:
    found = experiment(lambda allowed: WELL if allowed else end)
    assert found.verdict is None
    assert found.reason.startswith("run again as it is")
    assert tried(found) == [[]]


def test_what_fails_in_another_way() -> None:
    found = experiment(lambda allowed: OTHERWISE if allowed else FAILS)
    assert (found.verdict, found.reason.endswith("failed in another way")) == (None, True)


def test_the_suspected_call_is_allowed_alone_first() -> None:
    first = like(FAILS, denied=frozenset({"mkdir", "chmod"}))
    found = experiment(lambda allowed: WELL if "mkdir" in allowed else first, first=first)
    assert (found.verdict, found.calls, tried(found)) == (True, ("mkdir",), [[], ["mkdir"], []])


def test_a_call_that_was_wrongly_suspected() -> None:
    first = like(FAILS, denied=frozenset({"mkdir", "chmod"}))

    def ends(allowed: frozenset[str]) -> RunOutcome:
        return WELL if "mkdir" in allowed else like(first, denied=first.denied - allowed)

    found = experiment(ends, "chmod", first)
    assert (found.verdict, found.calls) == (True, ("mkdir",))
    assert tried(found) == [[], ["chmod"], ["chmod", "mkdir"], [], ["mkdir"]]


def test_several_calls_of_which_the_suspected_one_is_none() -> None:
    first = like(FAILS, denied=frozenset({"write", "fcntl", "tgkill"}))

    def ends(allowed: frozenset[str]) -> RunOutcome:
        works = {"write", "fcntl"} <= allowed
        return WELL if works else like(first, denied=first.denied - allowed)

    found = experiment(ends, "tgkill", first)
    assert (found.calls, found.unnamed) == (("fcntl", "write"), True)


def test_it_takes_several_calls() -> None:
    first = like(FAILS, denied=frozenset({"mkdir", "chmod"}))

    def ends(allowed: frozenset[str]) -> RunOutcome:
        return WELL if len(allowed) == 2 else like(first, denied=first.denied - allowed)

    found = experiment(ends, "mkdir", first)
    assert (found.verdict, found.calls) == (True, ("mkdir", "chmod"))


def test_what_is_denied_after_the_first_denial_is_allowed_too() -> None:
    def ends(allowed: frozenset[str]) -> RunOutcome:
        if "mkdir" not in allowed:
            return FAILS
        return WELL if "chmod" in allowed else like(OTHERWISE, denied=frozenset({"chmod"}))

    found = experiment(ends)
    assert (found.verdict, found.calls) == (True, ("mkdir", "chmod"))
    assert tried(found) == [[], ["mkdir"], ["chmod", "mkdir"], [], ["chmod"]]


def test_the_number_of_runs_is_bounded() -> None:
    names = iter("abcdefghij")
    found = experiment(
        lambda allowed: like(FAILS, denied=frozenset({next(names)})) if allowed else FAILS
    )
    assert found.verdict is None
    assert len(found.trials) <= 5


def test_a_kernel_that_refuses_it_too() -> None:
    for code in (errno.EPERM, errno.ENOMEM, errno.EEXIST):
        refuses = like(FREE, failed=frozenset({("mkdir", code, "d")}))
        found = experiment(lambda allowed, end=refuses: end if allowed else FAILS)
        assert (found.verdict, "the kernel itself fails mkdir" in found.reason) == (None, True)


def test_a_call_that_the_kernel_failed_in_the_first_run_too() -> None:
    both = frozenset({("mkdir", errno.ENOENT, "/other/x")})
    first = like(FAILS, failed=both)
    found = experiment(lambda allowed: like(FREE, failed=both) if allowed else first, first=first)
    assert found.verdict is False


def test_what_earlier_runs_left_may_lead_it_elsewhere() -> None:
    """A database that the first run made and could not write: the others fail before that."""
    elsewhere = like(FREE, makers=frozenset())
    found = experiment(lambda allowed: elsewhere if allowed else FAILS)
    assert (found.verdict, "did not make the call" in found.reason) == (None, True)
    found = experiment(lambda _: elsewhere)
    assert (found.verdict, "was not denied mkdir" in found.reason) == (None, True)


def test_a_profile_that_did_not_reach_the_container() -> None:
    found = experiment(lambda _: FAILS)
    assert (found.verdict, "another profile was in force" in found.reason) == (None, True)


def test_lost_events_do_not_acquit() -> None:
    found = experiment(lambda allowed: like(FREE, incomplete=True) if allowed else FAILS)
    assert found.verdict is None


def test_an_interrupt_ends_it() -> None:
    found = experiment(lambda _: like(FAILS, interrupted=True))
    assert (found.verdict, found.reason, len(found.trials)) == (None, "it was interrupted", 1)


def test_numbers_count_unless_they_differ_anyway() -> None:
    def numbered(step: int, **more: object) -> RunOutcome:
        line = f"error: step {step} failed"
        return like(FAILS, words=(line,), errors=(line,), **more)

    free = numbered(5, denied=frozenset(), makers=CALL)
    found = experiment(lambda allowed: free if allowed else numbered(3), first=numbered(3))
    assert found.verdict is None
    found = experiment(lambda allowed: free if allowed else numbered(4), first=numbered(3))
    assert found.verdict is False


def test_a_server_that_works_now_is_stopped() -> None:
    stopped = RunOutcome(137, True, stopped=True)
    assert compare_outcomes(FAILS, stopped) is Likeness.SUCCESS
    hanging = like(stopped, words=(MKDIR,), errors=(MKDIR,))
    assert compare_outcomes(FAILS, hanging) is Likeness.OTHER
    silent = RunOutcome(137, stopped=True)
    found = experiment(lambda allowed: silent if allowed else FAILS)
    assert (found.verdict, found.reason.endswith("it is no server")) == (None, True)


def test_silent_ends_are_the_same_only_by_the_same_process() -> None:
    silent = RunOutcome(1, origin=("test", "-f", "x"), last_failed=("newfstatat", 2, "x"))
    assert compare_outcomes(silent, silent) is Likeness.SAME
    assert compare_outcomes(silent, like(silent, origin=("mkdir", "x"))) is Likeness.OTHER
    assert compare_outcomes(FAILS, silent) is Likeness.OTHER
    assert compare_outcomes(silent, like(silent, status=2)) is Likeness.OTHER


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "2026/11/27 20:25:38 [emerg] 1#1: bind() failed",
            "2026/11/28 01:02:03 [emerg] 7#7: bind() failed",
        ),
        ("lost /tmp/tmpab1/x at 0x7ffc12", "lost /tmp/tmpzz9/x at 0x7ffd99"),
        ("container 0123456789ab… ended after 12 ms", "container ffffffffffff… ended after 3 ms"),
        ("supervisor[812]: gave up", "supervisor[7]: gave up"),
    ],
)
def test_what_differs_between_runs_is_masked(one: str, other: str) -> None:
    assert mask_variable(one) == mask_variable(other)


def test_other_numbers_are_kept() -> None:
    assert mask_variable("step 3 failed") != mask_variable("step 5 failed")


def test_what_fails_the_same_way_in_a_changed_root_speaks_against_seccomp() -> None:
    def end(allowed: frozenset[str]) -> RunOutcome:
        return FREE if allowed else FAILS

    found = Experimenter(FAILS, "mkdir", end, lost="that had changed tmp").experiment()
    assert (found.verdict, found.against) == (None, True)
    assert found.reason == "it began otherwise than the first run: that had changed tmp"

"""The second try of a test: granted, reported, and limited."""

from __future__ import annotations

import pytest

from tests import chance

pytest_plugins = ["pytester"]

ONCE = """
import pytest

seen = set()

@pytest.mark.parametrize("number", range({count}))
def test_it(number):
    if number not in seen:
        seen.add(number)
        raise ValueError(f"what went wrong with {{number}}")
"""


def run(pytester: pytest.Pytester, source: str) -> pytest.RunResult:
    pytester.makepyfile(source)
    return pytester.runpytest_inprocess("-p", "tests.chance", "-p", "no:cacheprovider")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chance, "DELAY", 0)


def test_a_failure_by_chance_is_shown_in_full(pytester: pytest.Pytester) -> None:
    result = run(pytester, ONCE.format(count=2))
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["*failed at the first try: 2*", "*test_it*0* (call)*", "*what went wrong with 0"]
    )


def test_a_test_that_fails_twice_has_failed(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_it(): raise ValueError")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=1)


def test_a_fixture_that_failed_is_made_anew(pytester: pytest.Pytester) -> None:
    source = """
        import pytest
        tries = []
        @pytest.fixture(scope="session")
        def engine():
            tries.append(1)
            assert len(tries) > 1, "the engine did not start"
        def test_it(engine): pass
        def test_other(engine): assert len(tries) == 2
    """
    result = run(pytester, source)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*failed at the first try: 1*", "*the engine did not start*"])


def test_too_many_failures_are_no_chance(pytester: pytest.Pytester) -> None:
    assert run(pytester, ONCE.format(count=chance.MOST)).ret == pytest.ExitCode.OK
    assert run(pytester, ONCE.format(count=chance.MOST + 1)).ret == pytest.ExitCode.TESTS_FAILED


def test_tests_of_values_have_no_second_try(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chance, "PURE", pytester.path)
    assert run(pytester, ONCE.format(count=1)).ret == pytest.ExitCode.TESTS_FAILED


def test_tests_of_the_real_thing_have_one(request: pytest.FixtureRequest) -> None:
    assert not request.path.is_relative_to(chance.PURE)
    assert request.node.get_closest_marker("flaky")

"""How long further runs may take together."""

from __future__ import annotations

import pytest

from seclatch.diagnose.confirm.run_progress import RunProgress


@pytest.mark.parametrize(
    ("first", "automatic", "limit"),
    [(40, True, "60 s"), (1, False, "60 s"), (40, False, "320 s")],
)
def test_the_limit_of_all_runs(first: float, automatic: bool, limit: str) -> None:
    """Runs that were not asked for never take longer than a minute."""
    said: list[str] = []
    progress = RunProgress(said.append, first, automatic=automatic)
    assert not progress.is_spent
    assert progress.describe_limit() == f"the further runs took more than {limit} together"
    assert said == []

"""Limits on random profiles, for libseccomp's sake."""

from collections.abc import Iterator

import pytest

from seclatch.system import bounded_child


@pytest.fixture(autouse=True, scope="module")
def _short() -> Iterator[None]:
    """Limit the rules: libseccomp 2.6.0 never finishes some, the others take it milliseconds."""
    patch = pytest.MonkeyPatch()
    patch.setattr(bounded_child, "SECONDS", 1)
    yield
    patch.undo()

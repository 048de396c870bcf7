"""Bounds for what random profiles make of libseccomp."""

from collections.abc import Iterator

import pytest

from seclatch.system import bounded_child


@pytest.fixture(autouse=True, scope="module")
def _short() -> Iterator[None]:
    """libseccomp 2.6.0 does not come back from some rules; the others take it milliseconds."""
    patch = pytest.MonkeyPatch()
    patch.setattr(bounded_child, "SECONDS", 1)
    yield
    patch.undo()

from __future__ import annotations

from tests.unit.engines.conftest import tree  # noqa: F401 (a fixture)

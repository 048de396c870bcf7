"""Skip these tests elsewhere: `make test-arm64` runs them on arm64's own kernel and packages."""

import os

from tests.latch.conftest import (  # noqa: F401 (fixtures)
    bundle,
    latched,
    name,
    no_new_privileges,
    no_tracer_left,
    plain,
)

collect_ignore_glob = [] if os.environ.get("SECLATCH_GUEST") else ["test_*.py"]

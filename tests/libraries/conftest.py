"""`make test-libraries`: needs the archive's other suites, and nothing else does."""

import os

collect_ignore_glob = [] if os.environ.get("SECLATCH_LIBRARIES") else ["test_*.py"]

"""Skip these tests outside of `make test-wheels`, which builds the wheels and passes their path."""

import os

collect_ignore_glob = [] if os.environ.get("SECLATCH_WHEELS") else ["test_*.py"]

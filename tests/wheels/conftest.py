"""`make test-wheels` builds the wheels and says where they are; nothing here is for other runs."""

import os

collect_ignore_glob = [] if os.environ.get("SECLATCH_WHEELS") else ["test_*.py"]

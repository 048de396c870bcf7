"""The pytest plugin: record the containers of a test suite, and check profiles against them.

In: a pytest command line with `--seclatch-record` or `--seclatch-profile`. Out: a recording for
each image, a summary, and an exit status. `pytest_hooks` is loaded into every pytest run on a
machine that has seclatch, so it imports nothing of this project until an option asks for it.
"""

TESTS_VARIABLE = "SECLATCH_PYTEST_TESTS"
"""The file for the times of tests; set in the recorded pytest and in its workers alone."""

"""Distribute the tests over the workers of pytest-xdist, and order those of the engines.

A pytest plugin. Its own scheduler makes the groups from the paths of the tests: the marks of
`--dist loadgroup` travel in the item's node id, which pytest 9.2 does not let xdist 3.8 change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

# These tests start engines, whose daemons are costly, and count processes on the host: one worker
# runs all of them. The others take the rest file by file, since a file's tests share fixtures.
ENGINES = {"agent", "door", "engines", "explain"}
# These count what a program of one name does on the whole host, and all run the same program.
ALONE = {"watch"}
# These take programs from a root directory of Debian's packages, which is made once in a session.
SHARING = {"debian"}
# Before other engine tests: on a user's machine there is one of each engine.
FIRST = "door"


def find_group(nodeid: str) -> str:
    """Name the group of a test: `tests/engines/test_x.py::test_y` is in "engines"."""
    path = nodeid.split("::", 1)[0]
    folder = _folder(path)
    if folder in ENGINES:
        return "engines"
    return folder if folder in ALONE | SHARING else path


def _folder(path: str) -> str:
    return path.removeprefix("tests/").split("/", 1)[0]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of tests/door before those of the other engines."""
    items.sort(key=lambda item: _folder(item.nodeid) != FIRST)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Give each group to one worker, the largest group first."""
    from xdist.scheduler import LoadScopeScheduling

    class GroupScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return find_group(nodeid)

    return GroupScheduling(config, log)

"""Which denials are selected."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from seclatch.model.denial_log import LoggedContainer
from seclatch.model.pod import parse_pod
from seclatch.watch.denial_selection import DenialSelection
from tests.unit.watch.denials import make_denial

REGISTRY = LoggedContainer(id="c" * 64, name="web", image="registry:5000/team/nginx:1.27@sha256:0")

CLAIMED = LoggedContainer(id="c" * 64, name="web", image="nginx:1.27", trusted=False)


IN_POD = LoggedContainer(id="d" * 64, name="web", pod="shop", namespace="prod")
CLAIMED_POD = msgspec.structs.replace(IN_POD, trusted=False)


@pytest.mark.parametrize(
    ("wanted", "values", "matches"),
    [
        ({}, {}, True),
        ({"pids": (12,)}, {}, True),
        ({"pids": (13, 14)}, {}, False),
        ({"containers": ("web",)}, {}, True),
        ({"containers": ("we",)}, {}, False),
        ({"containers": ("ccc",)}, {}, True),
        ({"containers": ("cc",)}, {}, False),
        ({"containers": ("web",)}, {"container": None}, False),
        ({"images": ("nginx",)}, {}, True),
        ({"images": ("nginx:1.27",)}, {}, True),
        ({"images": ("nginx:1.26",)}, {}, False),
        ({"images": ("registry:5000/team/nginx",)}, {"container": REGISTRY}, True),
        ({"images": ("*/nginx",)}, {"container": REGISTRY}, True),
        ({"images": ("*",)}, {"container": LoggedContainer(id="c")}, False),
        ({"containers": ("ccc",)}, {"container": CLAIMED}, False),
        ({"containers": ("web",)}, {"container": CLAIMED}, False),
        ({"containers": ("c" * 64,)}, {"container": CLAIMED}, True),
        ({"images": ("*",)}, {"container": CLAIMED}, False),
        ({"pods": (parse_pod("prod/shop"),)}, {"container": IN_POD}, True),
        ({"pods": (parse_pod("prod/shop/web"),)}, {"container": IN_POD}, True),
        ({"pods": (parse_pod("prod/shop/init"),)}, {"container": IN_POD}, False),
        ({"pods": (parse_pod("test/shop"),)}, {"container": IN_POD}, False),
        ({"pods": (parse_pod("prod/shop"),)}, {}, False),
        ({"pods": (parse_pod("prod/shop"),)}, {"container": CLAIMED_POD}, False),
        ({"units": ("web",)}, {"unit": "web.service"}, True),
        ({"units": ("web*",)}, {"unit": "web2.service"}, True),
        ({"units": ("*",)}, {}, False),
        ({"pids": (12,), "containers": ("db",)}, {}, False),
    ],
)
def test_each_criterion(wanted: dict[str, Any], values: dict[str, Any], matches: bool) -> None:
    assert DenialSelection(**wanted).matches(make_denial(**values)) is matches


def test_criteria_are_logged_as_options() -> None:
    selection = DenialSelection((1,), ("web",), ("nginx*",), ("a.service",))
    assert DenialSelection(pods=(parse_pod("a/b/c"),)).words() == ["--pod=a/b/c"]
    assert selection.words() == ["--pid=1", "--container=web", "--image=nginx*", "--unit=a.service"]

"""One server a module: its configuration, its training run, its wide workload."""

from __future__ import annotations

import importlib
from functools import cache

from bench.profiles.workload import Workload

DEVELOPED = (
    "nginx",
    "redis",
    "memcached",
    "apache2",
    "lighttpd",
    "haproxy",
    "postgres",
    "mariadb",
    "python3",
    "nodejs",
)
HELD_OUT = ("mosquitto", "caddy")
"""Written before any result was seen, and run only once a change is finished."""


@cache
def workload(name: str) -> Workload:
    """Load one server's workload."""
    module = importlib.import_module(f"bench.profiles.servers.{name}")
    found: Workload = module.WORKLOAD
    return found


def packages() -> list[str]:
    """List what all servers need."""
    return [each for name in (*DEVELOPED, *HELD_OUT) for each in workload(name).packages]

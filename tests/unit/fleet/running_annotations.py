"""Annotations that ask for a running profile, and whether a namespace's pods may have them."""

from __future__ import annotations

ALLOWED = {"seclatch.io/running": "allowed"}
NAMESPACES = {
    "tight": ALLOWED,
    "boot": {**ALLOWED, "seclatch.io/exec": "boot"},
    "untight": {"seclatch.io/running": "denied", "seclatch.io/exec": "boot"},
}
"""Further namespaces, with their labels."""

RUNNING: tuple[tuple[dict[str, str], str, bool], ...] = (
    ({}, "shop", True),
    ({"other.example/x": "y", "seclatchx": "y"}, "shop", True),
    ({"seclatch.running": "web"}, "shop", False),
    ({"seclatch.running": "web"}, "untight", False),
    ({"seclatch.running": "web"}, "tight", True),
    ({"seclatch.running.web": "web", "seclatch.ready.web": "listen"}, "tight", True),
    ({"seclatch.running": "tight.web"}, "tight", True),
    ({"seclatch.running": "bank.web"}, "tight", False),
    ({"seclatch.running": "tight.web", "seclatch.running.b": "bank.web"}, "tight", False),
    ({"seclatch.running": "tight.web.x"}, "tight", False),
    ({"seclatch.running": "tightened.web"}, "tight", False),
    ({"seclatch.running": "../tight"}, "tight", False),
    ({"seclatch.running": ""}, "tight", False),
    ({"seclatch.running": "web\n"}, "tight", False),
    ({"seclatch.ready": "log:^up$"}, "shop", False),
    ({"seclatch.running": "web", "seclatch.unready": "stop"}, "tight", True),
    ({"seclatch.running": "web", "seclatch.unready": "halt"}, "tight", False),
    ({"seclatch.running": "web", "seclatch.unraedy": "stop"}, "tight", False),
    ({"seclatch.limit": "5m", "seclatch.limit.web": "9m"}, "tight", True),
    ({"seclatch.running": "web", "seclatch.exec": "running"}, "tight", True),
    ({"seclatch.running": "web", "seclatch.exec": "boot"}, "tight", False),
    ({"seclatch.running": "web", "seclatch.exec.web": "boot"}, "tight", False),
    ({"seclatch.running": "web", "seclatch.exec.web": "boot"}, "boot", True),
    ({"seclatch.running": "web", "seclatch.exec": "boot"}, "untight", False),
)

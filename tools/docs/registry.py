"""The listing of fleet.md: a profile goes to a registry and comes back."""

from __future__ import annotations

from tests.registry.conftest import make_keys
from tests.registry.docker_registry import start_registry
from tools.docs.lab import Lab
from tools.docs.listings import fenced, maker


@maker("registry")
def registry(lab: Lab) -> str:
    """Push a signed profile, pull it, and see two refusals."""
    folder = lab.scratch("registry")
    make_keys(folder, "key")
    found = start_registry(folder / "server")
    try:
        push = f"seclatch push strict.json {found.host}/profiles/web:1 --plain-http --sign key.pem"
        pinned = lab.run("sh", "-c", push, folder=folder).strip()
        pull = f"seclatch pull {pinned} --plain-http"
        lines = [f"$ {push}", pinned]
        for command in (
            f"{pull} --key key.pub -o web.json",
            pull,
            f"{pull} --key key.pub --baseline docker-default -o web.json",
        ):
            lines += [f"$ {command}", lab.run("sh", "-c", command, folder=folder).rstrip()]
    finally:
        found.stop()
    return fenced("\n".join(lines))

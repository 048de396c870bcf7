"""What a shell completes for the name of a container or process."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

# As engines allow. A process of any user may pose as a monitor and claim a name; bash inserts what
# is completed without quoting it.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def complete_container(
    ctx: click.Context, param: click.Parameter | None, incomplete: str
) -> list[CompletionItem]:
    """Complete names of the containers that run; nothing where they cannot be read."""
    from click.shell_completion import CompletionItem

    # A shell shows what a completion writes amid the line that is being typed: never an error.
    with contextlib.suppress(Exception):
        from seclatch.process.list_containers import list_containers

        return [
            CompletionItem(name, help=image)
            for name, image in sorted(list_containers())
            if name.startswith(incomplete) and _NAME.fullmatch(name)
        ]
    return []


def complete_pod(
    ctx: click.Context, param: click.Parameter | None, incomplete: str
) -> list[CompletionItem]:
    """Complete NAMESPACE/POD and NAMESPACE/POD/CONTAINER of the pods that run."""
    from click.shell_completion import CompletionItem

    with contextlib.suppress(Exception):
        from seclatch.model.pod import parse_pod
        from seclatch.process.list_containers import list_pods

        return [
            CompletionItem(str(parse_pod(title)), help=image)
            for title, image in sorted(list_pods())
            if title.startswith(incomplete)
        ]
    return []


def complete_pid(
    ctx: click.Context, param: click.Parameter | None, incomplete: str
) -> list[CompletionItem]:
    """Complete ids of processes, each with its command's name."""
    from click.shell_completion import CompletionItem

    from seclatch.output.printable_text import make_printable

    found = []
    for entry in Path("/proc").glob(f"{incomplete}*" if incomplete.isdigit() else "[0-9]*"):
        with contextlib.suppress(OSError, UnicodeError):
            name = make_printable((entry / "comm").read_text().strip())
            found.append(CompletionItem(entry.name, help=name))
    return sorted(found, key=lambda item: int(item.value))


def complete_target(
    ctx: click.Context, param: click.Parameter | None, incomplete: str
) -> list[CompletionItem]:
    """Complete containers by name, and processes once a digit is typed."""
    found = complete_container(ctx, param, incomplete)
    return [*found, *complete_pid(ctx, param, incomplete)] if incomplete.isdigit() else found

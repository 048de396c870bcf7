"""What `merge` and `intersect` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from seclatch.cli.profile.options import host_from, resolved
from seclatch.cli.profile.output import emit, warn
from seclatch.model.arch import Arch
from seclatch.model.profile import Profile
from seclatch.profile.combine import Combined
from seclatch.profile.export.formats import write

Operation = Callable[[Profile, Profile, Arch], Combined]


def combine(
    operation: Operation,
    files: tuple[Path, ...],
    form: str,
    output: Path | None,
    options: dict[str, Any],
) -> None:
    """Combine the files one after the other and write the result."""
    host = host_from(options)
    first, *others = files
    combined = resolved(first, host)
    for file in others:
        result = operation(combined, resolved(file, host), host.arch)
        warn(str(file), result.warnings)
        combined = result.profile
    written = write(combined, form)
    warn("result", written.warnings)
    emit(written.text, output)

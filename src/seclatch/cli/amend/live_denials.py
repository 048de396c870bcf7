"""Denials of a container that runs, for `seclatch amend --container`."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from seclatch.cli.shared.duration import format_duration
from seclatch.cli.shared.result_output import print_warnings
from seclatch.profile.amend.denial_log_file import CollectedDenials, DenialLog
from seclatch.watch.targets.collected_lines import CollectedLines
from seclatch.watch.targets.terminal_lines import TerminalLines
from seclatch.watch.watch_container import watch_container


def watch_denials(profile: Path, container: str, duration: timedelta | None) -> DenialLog:
    """Watch a container, and show its denials on standard error. Raises SeclatchError."""
    collected = CollectedDenials(f"watch of {container}")
    targets = [CollectedLines(collected.add), TerminalLines(sys.stderr)]
    end = f"for {format_duration(duration)}, or until" if duration else "until"
    _report(f"watching {container} {end} ctrl-C")
    seconds = duration.total_seconds() if duration else None
    watch_container(container, seconds, [profile], targets, _report)
    log = collected.finish()
    _report(f"{container}: {sum(group.seen.count for group in log.groups)} denials were seen")
    return log


def _report(text: str) -> None:
    print_warnings("amend", [text])

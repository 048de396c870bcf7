"""`seclatch record flush`: an annotated container's recording, before the container ends."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from seclatch.cli.record.spools import find_spools
from seclatch.errors import SeclatchError

if TYPE_CHECKING:
    from seclatch.recording.annotated.spool import RecordingSpool, SpoolSlot

_PATIENCE = 30.0


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--record-dir",
    type=click.Path(path_type=PurePosixPath),
    metavar="DIR",
    help="Where recordings go.  [default: as installed]",
)
@click.argument("name", metavar="NAME|ID")
def command(record_dir: PurePosixPath | None, name: str) -> None:
    """Write the recording of an annotated container now, and print the file's path.

    NAME is what the annotation seclatch.record gave, ID the beginning of the container's id; all
    containers of that name are meant. Their recorders go on.

    \b
    Examples:
      seclatch record flush web
      seclatch show "$(seclatch record flush 3f4c8a)"
    """
    if not name:  # every id begins with nothing
        raise click.UsageError("NAME is empty.")
    meant: list[tuple[RecordingSpool, SpoolSlot]] = []
    for spool in find_spools(record_dir):
        spool.require_private()
        meant += [
            (spool, each)
            for each in spool.list_running()
            if each.name == name or each.identifier.startswith(name)
        ]
    if not meant:
        raise SeclatchError(
            f"looking for a recorder of {name}: no container of this name or id is being recorded "
            "by annotation",
            remedy="what has ended is in the directory; the file `log` there says what was refused",
        )
    for spool, slot in meant:
        click.echo(_flush(spool, slot))


def _flush(spool: RecordingSpool, slot: SpoolSlot) -> str:
    """Ask by SIGUSR1 and wait until the file is another one: it is always replaced as a whole."""
    path = spool.path / slot.file
    before = _inode(path)
    try:
        process = os.pidfd_open(slot.pid)
    except ProcessLookupError as error:
        raise _ended(path) from error
    try:
        if slot not in spool.list_running():  # the pid may be somebody else's by now
            raise _ended(path)
        signal.pidfd_send_signal(process, signal.SIGUSR1)
        deadline = time.monotonic() + _PATIENCE
        while _inode(path) == before:
            _expect(spool, path, process, before, deadline)
            time.sleep(0.02)
    except ProcessLookupError as error:
        raise _ended(path) from error
    finally:
        os.close(process)
    return str(path)


def _expect(spool: RecordingSpool, path: Path, process: int, before: int, deadline: float) -> None:
    """Whether the file can still be expected. Raises SeclatchError."""
    over = bool(select.select([process], [], [], 0)[0])
    if over and _inode(path) == before:  # it may have written last of all
        raise _ended(path)
    if time.monotonic() > deadline:
        raise SeclatchError(
            f"waiting for {path}: the recorder does not write it",
            remedy=f"see {spool.path / 'log'}",
        )


def _inode(path: Path) -> int:
    """0 of a file that is not there yet."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_ino
    return 0


def _ended(path: Path) -> SeclatchError:
    return SeclatchError(f"asking for {path}: the recorder has ended")

"""`seclatch record serve`: the recorder of annotated containers as a process in the foreground."""

from __future__ import annotations

import os

import click

from seclatch.errors import SeclatchError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Record the containers of this host that ask for it by annotation, until SIGTERM.

    For hosts whose latch `seclatch node --install ENGINE --record-annotations` keeps installed, in
    a container of its own: `seclatch kubernetes manifest --record` has it. It takes root, the
    host's process ids, CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, and of the
    host /run/seclatch and /var/lib/seclatch. It waits while the latch asks for no recorder, and
    while the host has one of its own (`seclatch install ENGINE --record-annotations`). It is meant
    to be started again when it ends: it continues the recordings of containers that still run.

    \b
    Example:
      seclatch node --every 1min --install docker --record-annotations &
      seclatch record serve
    """
    from seclatch.agent.host_recorder import serve_host
    from seclatch.process.container_images import find_container_image
    from seclatch.process.find_pod import find_pod

    if os.geteuid() != 0:
        raise SeclatchError(
            "recording annotated containers: the latch sends its requests to root alone",
            remedy="use sudo",
        )
    os.umask(0o077)
    serve_host(find_container_image, find_pod)

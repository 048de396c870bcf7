"""`seclatch profile …`: one module for each subcommand."""

from __future__ import annotations

import click

from seclatch.cli.shared.lazy_group import LazyGroup

COMMANDS = {
    "check": "Report errors and weaknesses, each with its remedy.",
    "test": "Tell what the profile does with calls, and by which rule.",
    "resolve": "Print what Docker or Podman would put into config.json.",
    "compile": "Write the BPF program that runc or crun would load.",
    "convert": "Write the profile in another format.",
    "port": "Write the profile for another architecture.",
    "diff": "Tell which calls two profiles treat differently.",
    "derive": "Write a profile with some calls more or less than another one.",
    "fit": "Tell what a new image or release needs and the profile denies.",
    "score": "Count what profiles, or all processes, leave open, and which CVEs that reaches.",
    "merge": "Write a profile that allows what any of the profiles allows.",
    "audit": "Write the profile for a trial: it logs what it would deny.",
    "example": "Write an example profile.",
    "intersect": "Write a profile that allows what all of the profiles allow.",
}


@click.group(cls=LazyGroup, commands_of=COMMANDS, package="seclatch.cli.profile")
def command() -> None:
    """Seccomp profiles: check, resolve, compile, convert and compare them.

    FILE is a profile of Docker, Podman or containers-common, an OCI config.json or its
    `linux.seccomp`, a Kubernetes SeccompProfile manifest, or a raw BPF program; `-` is standard
    input. docker-default and podman-default are the engines' own.

    \b
    Examples:
      seclatch profile check strict.json
      seclatch profile diff docker-default strict.json
      seclatch profile compile --runtime runc strict.json -o strict.bpf
    """

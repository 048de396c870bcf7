"""The commands of `seclatch`; the one that is called is imported."""

from __future__ import annotations

import click

from seclatch.cli.exit_status import exit_with_status
from seclatch.cli.shared.lazy_group import LazyGroup
from seclatch.version import __version__

# command -> one line of help; the module seclatch.cli.NAME (with _ for -) has its `command`.
COMMANDS = {
    "run": "Run a command in a container, the profile binding only that command.",
    "apply": "Become a program under a further profile, without privileges.",
    "tighten": "Put a further profile on a container that runs already.",
    "record": "Record the system calls of a command, stage by stage.",
    "explain": "Say why a command fails, and whether seccomp is the cause.",
    "show": "Show a recording: system calls by stage or process.",
    "scan": "Find the system calls that an image's programs could make, from their binaries.",
    "generate": "Make a profile from recordings.",
    "amend": "Allow in a profile what was denied under it.",
    "report": "Show a recording as a page: where the filter begins, and which process called what.",
    "install": "Register the seclatch runtime with docker, podman or containerd.",
    "uninstall": "Undo what `install` did.",
    "ps": "Show the processes, their seccomp filters, and the processes that loaded those.",
    "watch": "Show what filters deny on this host, while it happens.",
    "profile": "Check, resolve, compile, convert and compare seccomp profiles.",
    "push": "Publish a profile at a registry, in the format that container runtimes read.",
    "pull": "Fetch a profile from a registry, and refuse what is not signed or too wide.",
    "node": "Bring the profiles of a list from a registry to where kubelet looks for them.",
    "kubernetes": "Print manifests for a cluster.",
    "filter": "List BPF programs and find the rules that they were made of.",
    "demo": "Show what the latch does, by running it.",
    "doctor": "Check whether this host can latch, by doing it.",
    "completion": "Print a shell's completion script.",
}


@click.group(
    cls=LazyGroup,
    commands_of=COMMANDS,
    package="seclatch.cli",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="seclatch")
def cli() -> None:
    """Seccomp profiles that bind the image's program and not the container runtime.

    \b
    Examples:
      seclatch doctor
      seclatch run --profile strict.json -- /bin/sh -c 'grep Seccomp /proc/self/status'
      seclatch install docker && docker run --runtime seclatch …
    """


def main() -> None:
    """Run the command line and exit with its status."""
    exit_with_status(run_command_line)


def run_command_line() -> int:
    """Run the command that the command line names, and return the exit status."""
    try:
        status: int = cli.main(prog_name="seclatch", standalone_mode=False) or 0
        return status
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 130

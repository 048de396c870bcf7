"""`seclatch completion`: the words that a shell completes."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from seclatch.cli.shared.result_output import require_stdout


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that makes SHELL complete seclatch's commands and options.

    \b
    Examples:
      seclatch completion bash >/etc/bash_completion.d/seclatch
      eval "$(seclatch completion zsh)"
      seclatch completion fish >~/.config/fish/completions/seclatch.fish
    """
    require_stdout()
    kind = get_completion_class(shell)
    if kind is None:  # pragma: no cover - the choices are click's own
        raise click.UsageError(f"no completion for {shell}")
    click.echo(kind(ctx.find_root().command, {}, "seclatch", "_SECLATCH_COMPLETE").source())

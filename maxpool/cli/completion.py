"""`maxpool completion`: what a shell needs to complete commands and options. click's own, printed."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_MAXPOOL_COMPLETE"
"""By it the shell asks the program itself what could follow; click answers before any command runs."""


@click.command(name="completion", epilog='Example: eval "$(maxpool completion bash)"')
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion for a shell, to be read at its start.

    \b
    bash  echo 'eval "$(maxpool completion bash)"' >> ~/.bashrc
    zsh   echo 'eval "$(maxpool completion zsh)"' >> ~/.zshrc
    fish  maxpool completion fish > ~/.config/fish/completions/maxpool.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # click knows the three
    parts = kind(ctx.find_root().command, {}, "maxpool", VARIABLE)
    # Not `source()`: for bash that runs the shell to see its version, on every start.
    click.echo(parts.source_template % parts.source_vars())

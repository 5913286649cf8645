"""`maxpool env`: the environment that points Claude Code at this server. Asks no server."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from maxpool.cli import claude_code
from maxpool.cli.options import SHELLS, config_option, json_option
from maxpool.config.environment import shell_name
from maxpool.config.peek import peek

if TYPE_CHECKING:
    from pathlib import Path


@click.command(name="env", epilog='Example: eval "$(maxpool env)" && claude')
@click.option(
    "--shell", type=click.Choice(SHELLS), default="auto", show_default=True, help="For which shell."
)
@click.option(
    "--port", type=click.IntRange(1, 65535), help="The server's port; default: the config's."
)
@config_option
@json_option
def command(shell: str, port: int | None, config_file: Path | None, as_json: bool) -> None:
    """Print the environment that sends Claude Code through maxpool.

    The lines are ready to be pasted or evaluated; each says why it is there.
    """
    found = peek(config_file)
    if port is not None:
        found = replace(found, port=port)
    token = claude_code.Token.from_keys(found.keys)
    kind = claude_code.shell_named(shell_name() if shell == "auto" else shell)
    if as_json:
        values = claude_code.variables(found.url, token, kind)
        click.echo(json.dumps({variable.name: variable.value for variable in values}, indent=2))
        return
    click.echo(
        f"# Claude Code through maxpool; to take these lines over: {claude_code.usage(kind)}"
    )
    for line in claude_code.lines(found.url, token, kind):
        click.echo(line)

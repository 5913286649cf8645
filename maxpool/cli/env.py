"""`maxpool env`: the environment that points Claude Code at this server. Asks no server.

The address is that of the server that uses the state folder, else what the config says.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from maxpool.cli import claude_code
from maxpool.cli.options import SHELLS, config_option, json_option
from maxpool.config.environment import shell_name, state_folder
from maxpool.config.peek import peek
from maxpool.config.running import client_key, client_key_file, running

if TYPE_CHECKING:
    from pathlib import Path

    from maxpool.config.peek import Peek

OFF = 'Clients\' own logins are not forwarded yet: set client_login = "first" under [pool] in the config.'


@click.command(name="env", epilog='Example: eval "$(maxpool env)" && claude')
@click.option(
    "--shell", type=click.Choice(SHELLS), default="auto", show_default=True, help="For which shell."
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="The server's port; default: the running server's, else the config's.",
)
@click.option(
    "--own-login",
    is_flag=True,
    help="For a Claude Code that goes on with its own login ([pool] client_login).",
)
@click.option(
    "--show-key", is_flag=True, help="Print the client key itself, not where the shell finds it."
)
@config_option
@json_option
def command(
    shell: str,
    port: int | None,
    own_login: bool,
    show_key: bool,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Print the environment that sends Claude Code through maxpool.

    The lines are ready to be pasted or evaluated; each says why it is there.
    """
    found = peek(config_file)
    if port is not None:
        found = replace(found, port=port)
    token = _token(found, show_key=show_key)
    kind = claude_code.shell_named(shell_name() if shell == "auto" else shell)
    of = claude_code.own_login if own_login else claude_code.variables
    values = of(_url(found) if port is None else found.url, token, kind)
    if own_login and not found.client_login:
        click.echo(OFF, err=True)
    if as_json:
        click.echo(json.dumps({variable.name: variable.value for variable in values}, indent=2))
        return
    usage = claude_code.usage(kind)
    if own_login:
        usage = usage.replace("maxpool env", "maxpool env --own-login")
    click.echo(f"# Claude Code through maxpool; to take these lines over: {usage}")
    for line in claude_code.shell_lines(values, kind):
        click.echo(line)


def _url(found: Peek) -> str:
    """Where the server listens; it may run on another port than the config says."""
    serving = running(found.folder or state_folder())
    return serving.url if serving else found.url


def _token(found: Peek, *, show_key: bool) -> claude_code.Token:
    """The client key to show to the server of that config, or what stands in for one."""
    folder = found.folder or state_folder()
    key = client_key(folder) if show_key else None
    if key is not None:
        return claude_code.Token(source="value", where=key)
    return claude_code.Token.from_keys(found.keys, client_key_file(folder))

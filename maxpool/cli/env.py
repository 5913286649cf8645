"""`maxpool env`: the environment that points Claude Code at this server. Asks no server.

The address is that of the server that uses the state folder, else what the config says. The text is
`env_show`'s, which `maxpool.__main__` runs without coming here when no option is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from maxpool.cli import env_show
from maxpool.cli.options import SHELLS, config_option, json_option

if TYPE_CHECKING:
    from pathlib import Path


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
    env_show.main(
        shell,
        port,
        own_login=own_login,
        show_key=show_key,
        config_file=config_file,
        as_json=as_json,
    )

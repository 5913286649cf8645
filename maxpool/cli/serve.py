"""`maxpool serve`: run the proxy in this terminal until it is told to stop.

Reads the config and says where the server listens; building and running it is `maxpool.app`'s,
signals included: the first drains and ends with 0, the second ends at once.
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maxpool.cli import claude_code
from maxpool.cli.options import config_option
from maxpool.config.environment import config_path, shell_name, state_folder, succeeds
from maxpool.config.peek import peek
from maxpool.config.running import client_key_file

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from maxpool.config.load import Loaded

LEVELS = ("debug", "info", "warning", "error")


@click.command(name="serve", epilog="Example: maxpool serve --config maxpool.toml --port 4000")
@config_option
@click.option(
    "--host", metavar="HOST", help="Listen here; default: the config's, 127.0.0.1 without one."
)
@click.option("--port", type=click.IntRange(0, 65535), help="Listen here; 0 takes any free port.")
@click.option(
    "--log-level", type=click.Choice(LEVELS), help="How much to log; default: the config's."
)
@click.option(
    "--confirm",
    multiple=True,
    metavar="NAME",
    help="Confirm an account's changed base_url; * for every account.",
)
@click.option(
    "--detach", is_flag=True, help="Run on in the background, and give the terminal back."
)
@click.option(
    "--log-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write all output there instead, in files that stay small.",
)
@click.pass_context
def command(  # noqa: PLR0913 - click hands over each option
    ctx: click.Context,
    config_file: Path | None,
    host: str | None,
    port: int | None,
    log_level: str | None,
    confirm: tuple[str, ...],
    detach: bool,
    log_file: Path | None,
) -> None:
    """Run the proxy until Ctrl-C.

    The first Ctrl-C (or SIGTERM) lets running streams finish, the second ends at once.

    With --detach it runs on in the background, its log in the state folder, until maxpool stop. One that
    runs already is told. Where the config's port is taken the next free one of ten is used, and all
    commands find it; a --port is used or refused.
    """
    from maxpool.config.load import Overrides, load

    given = Overrides(host=host, port=port, log_level=log_level, log_file=log_file)
    _bring_up_to_date(config_file or config_path())
    if detach:
        from maxpool.cli.serve_detach import detached

        click.echo(detached(load(config_file, overrides=given), confirm))
        return
    with _offer() as offer:
        loaded = load(config_file, overrides=given)
        # After the config: its errors need none of the server, and show at once.
        from maxpool.app.run import run
        from maxpool.cli import loop

        announce = partial(announced, loaded, config_file)
        ctx.exit(loop.run(run(loaded, announce=announce, confirm=confirm, offer=offer)))


def _bring_up_to_date(path: Path) -> None:
    from maxpool.app.upgrade import upgrade

    backup = upgrade(path)
    if backup is not None:
        click.echo(f"{path} has the present format now; the old text is in {backup}.", err=True)


def _offer() -> AbstractContextManager[Any]:
    """What the server that started this one to take its place offers; None for an ordinary start."""
    if not succeeds():
        return nullcontext()
    from maxpool.app.takeover import offer

    return offer()


def announced(loaded: Loaded, config_file: Path | None, text: str) -> None:
    """Print what the running server has to say; its own address becomes the whole greeting."""
    lines = (
        greeting(loaded, config_file, text) if text.startswith(("http://", "https://")) else [text]
    )
    try:
        click.echo("\n".join(lines))
        sys.stdout.flush()  # a supervisor or a pipe reads this while the server runs
    except OSError:  # its terminal is closed, its disk is full: that is no reason to stop serving
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def greeting(loaded: Loaded, config_file: Path | None, url: str) -> list[str]:
    """Where it listens, for how many accounts, and how Claude Code gets there."""
    shell = claude_code.shell_named(shell_name())
    found = peek(config_file)
    local = client_key_file(found.folder or state_folder())
    token = claude_code.Token.from_keys(found.keys, local)
    drain_s = loaded.config.server.drain_s
    how = "Ctrl-C" if loaded.overrides.log_file is None else "maxpool stop"
    return [
        f"maxpool listens on {url}",
        *_accounts(loaded),
        "For Claude Code, in the shell that starts it:",
        *(f"  {line}" for line in claude_code.lines(url, token, shell, comments=False)),
        f"{how} stops it; running streams may finish within {drain_s:g} s.",
    ]


def _accounts(loaded: Loaded) -> list[str]:
    accounts = loaded.config.accounts
    if not accounts:
        where = loaded.path or config_path()
        return [f"No account yet: `maxpool login NAME` adds one, or write it to {where}."]
    names = ", ".join(f"{a.name} ({a.kind}{'' if a.enabled else ', disabled'})" for a in accounts)
    return [f"{len(accounts)} account{'s' if len(accounts) != 1 else ''}: {names}"]

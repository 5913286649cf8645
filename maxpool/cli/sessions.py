"""`maxpool sessions`: which account each session is bound to, and moving one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from maxpool.cli.options import config_option, json_option, url_option

if TYPE_CHECKING:
    from pathlib import Path

    from maxpool.cli.control import Control


@click.group(name="sessions", invoke_without_command=True)
@url_option
@config_option
@json_option
@click.pass_context
def command(ctx: click.Context, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """List the sessions and the accounts they are bound to, or move one."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(show_all, url=url, config_file=config_file, as_json=as_json)
    elif url is not None or config_file is not None or as_json:
        raise click.UsageError(f"Write options behind {ctx.invoked_subcommand}.", ctx)


@command.command(name="list", epilog="Example: maxpool sessions list --limit 10")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many."
)
@url_option
@config_option
@json_option
def show_all(
    limit: int,
    url: str | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Show sessions, the latest first: account, turns, moves, the share read from caches, what is cached where."""
    from maxpool.cli.accounts_view import sessions
    from maxpool.cli.control import control, printed
    from maxpool.cli.tables import show

    server = control(url, config_file)
    found = with_use(server, server.get("/sessions", limit=limit))
    if as_json:
        click.echo(printed(found))
    else:
        show(sessions(found))


def with_use(server: Control, found: dict[str, Any]) -> dict[str, Any]:
    """The sessions with what they have used, where a ledger knows."""
    from maxpool.errors import MaxpoolError

    try:
        told = server.get("/usage", by="session", limit=10_000)["usage"]
    except MaxpoolError:  # it is off, or cannot be read: then that is not told
        told = []
    used = {line["session"]: line for line in told if "session" in line}
    return {**found, "sessions": [{**s, "used": used.get(s["session"])} for s in found["sessions"]]}


@command.command(name="move", epilog="Example: maxpool sessions move 5f2c max-2")
@click.argument("session", metavar="ID")
@click.argument("account", metavar="ACCOUNT")
@url_option
@config_option
@json_option
def move(
    session: str, account: str, url: str | None, config_file: Path | None, as_json: bool
) -> None:
    """Bind a session to another account, from its next turn on.

    The beginning of an ID is enough where it is the only one. Its prompt cache is written anew there.
    """
    from maxpool.cli.control import control, printed, word
    from maxpool.cli.tables import printable

    path = f"/sessions/{word(session)}/move"
    found = control(url, config_file).post(path, account=account)
    text = f"{found['session']} goes to {found['account']} from its next turn on."
    click.echo(printed(found) if as_json else printable(text))

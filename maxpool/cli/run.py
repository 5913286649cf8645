"""`maxpool run`: the unmodified Claude Code, through the pool or in the best home account.

Prepares its environment and becomes it: terminal, signals and exit code are Claude Code's own.
"""

from __future__ import annotations

import difflib
import time
from typing import TYPE_CHECKING, Any

import click

from maxpool.cli import claude_start
from maxpool.cli.options import address, config_option
from maxpool.config import environment
from maxpool.config.peek import Peek, peek
from maxpool.errors import MaxpoolError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Never

NO_ACCOUNT = 4


@click.command(
    name="run",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog='Example: maxpool run -- -p "What changed today?"',
)
@click.option("--account", metavar="NAME", help="Use this account and no other.")
@click.option("--home", is_flag=True, help="Start it in a home account, past the proxy.")
@click.option("--claude", "program", metavar="PATH", help="The program; default: claude.")
@click.option(
    "--url",
    callback=address,
    metavar="URL",
    help="The server; default: the one that uses the state folder, started when there is none.",
)
@config_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(  # noqa: PLR0913 - click hands over each option
    ctx: click.Context,
    account: str | None,
    home: bool,
    program: str | None,
    url: str | None,
    config_file: Path | None,
    arguments: tuple[str, ...],
) -> None:
    """Run Claude Code with the pool behind it. Write its own arguments behind `--`.

    A server that does not run yet is started, and stays. With --home the client keeps its own login
    and talks to the provider itself: it starts in the home account that suits best, or in the one
    that keeps the conversation it goes on with.
    """
    found = claude_start.find(environment.environ(), program)
    if found is None:
        name = program or environment.environ().get("MAXPOOL_CLAUDE") or claude_start.NAME
        click.echo(f"Error: {name} is not installed here", err=True)
        click.echo(f"Install it: {claude_start.INSTALL}", err=True)
        ctx.exit(claude_start.MISSING)
    if home and url is not None:
        raise click.UsageError("--url is for the proxy, which --home goes past.", ctx)
    if home:
        around = _at_home(ctx, config_file, arguments, account)
    else:
        around = _through_pool(config_file, url, account)
    if config_file is not None:  # for the status line, which runs inside
        around["MAXPOOL_CONFIG"] = str(config_file.absolute())
    _become(ctx, found, arguments, around)


def _become(
    ctx: click.Context, program: str, arguments: tuple[str, ...], around: dict[str, str]
) -> Never:
    try:
        claude_start.become(program, arguments, around)
    except OSError as error:
        click.echo(f"Error: cannot run {program}: {error.strerror}", err=True)
        ctx.exit(claude_start.NOT_RUNNABLE)


# -- through the pool --------------------------------------------------------------------------------


def _through_pool(config_file: Path | None, url: str | None, account: str | None) -> dict[str, str]:
    found, env = peek(config_file), environment.environ()
    folder = found.folder or environment.state_folder()
    here = url or _server(found, folder, config_file)
    key = _key(found, folder, foreign=url is not None)
    if account is not None:
        _check(here, key, account, found)
    own_login = found.client_login and url is None
    return claude_start.through_pool(env, here, key, account=account, own_login=own_login)


def _server(found: Peek, folder: Path, config_file: Path | None) -> str:
    """The running server's address; one is started when there is none."""
    from maxpool.cli import background

    alive = background.answering(folder, found.tls_cert)
    if alive is not None:
        return alive.url
    config = config_file or environment.config_path()
    started = background.start(folder, config, environment.environ(), found.tls_cert)
    click.echo(
        f"maxpool now runs at {started.url} and stays (log: {folder / background.LOG_NAME}); "
        "stop it with: maxpool stop",
        err=True,
    )
    return started.url


def _key(found: Peek, folder: Path, *, foreign: bool) -> str | None:
    """What the client shows: $MAXPOOL_KEY, else a key of this server; None for any text."""
    from pathlib import Path

    from maxpool.config.running import client_key

    given = environment.client_key()
    if given is not None or foreign:
        return given
    for reference in found.keys:
        source, _, where = reference.partition(":")
        if source == "env" and environment.environ().get(where):
            return environment.environ()[where]
        if source == "file":
            try:
                return Path(where).read_text(encoding="utf-8").strip() or None
            except (OSError, ValueError):
                continue
    return client_key(folder)


def _check(url: str, key: str | None, account: str, found: Peek) -> None:
    """An account that does not exist is an error now, not at the first prompt."""
    from maxpool.cli.server import fetch_status

    listed: list[dict[str, Any]] = fetch_status(url, key=key, certificate=found.tls_cert)[
        "accounts"
    ]
    mine = [one for one in listed if account in (one["id"], one["name"])]
    if not mine:
        names = [one["name"] for one in listed if one["kind"] != "home"]
        near = difflib.get_close_matches(account, names, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names) or 'none'}"
        raise MaxpoolError(f"there is no account {account!r} at {url}", hint)
    if mine[0]["kind"] == "home":
        raise MaxpoolError(
            f"{account} is a home, which the proxy never uses",
            f"Start Claude Code in it: maxpool run --home --account {account}",
        )


# -- in a home ---------------------------------------------------------------------------------------


def _at_home(
    ctx: click.Context, config_file: Path | None, arguments: tuple[str, ...], named: str | None
) -> dict[str, str]:
    from maxpool.cli import claude_sessions, run_home

    found, env = peek(config_file), environment.environ()
    several = len(run_home.candidates(found, named)) > 1
    model = claude_sessions.model(arguments, env.get("ANTHROPIC_MODEL"))
    now = time.time()  # noqa: TID251 - a command looks at the clock itself
    told = run_home.asked(config_file, model, now) if several else None
    chosen = run_home.choose(found, arguments, named, told)
    if chosen.home is None:
        click.echo("Error: no home can serve now", err=True)
        for waits in chosen.waits:
            click.echo(f"  {waits}", err=True)
        click.echo("Start in one all the same: maxpool run --home --account NAME", err=True)
        ctx.exit(NO_ACCOUNT)
    click.echo(f"maxpool: home {chosen.home.name}, {chosen.why}", err=True)
    return claude_start.at_home(env, chosen.home.config_dir.absolute())

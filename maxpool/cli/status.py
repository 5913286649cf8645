"""`maxpool status`: one look at the running server. Shows; changes nothing."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from maxpool.cli import render
from maxpool.cli.options import address, config_option, json_option, terminal_width
from maxpool.config.environment import client_key, no_color, state_folder
from maxpool.config.peek import peek
from maxpool.config.running import client_key as local_key
from maxpool.config.running import running

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

NO_ACCOUNT = 4
NOBODY = "No account can serve now; what each waits for stands above."
PAUSED = "The pool is paused by hand: new requests wait. Go on with: maxpool resume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Which server is asked, and how it is trusted."""

    url: str
    certificate: Path | None = None
    key: str | None = None

    def look(self) -> dict[str, Any]:
        """The server's picture now; raises `NotRunning` when there is none."""
        from maxpool.cli.server import fetch_status

        return fetch_status(self.url, key=self.key, certificate=self.certificate)


@click.command(name="status", epilog="Example: maxpool status --watch 2")
@click.option(
    "--url",
    callback=address,
    metavar="URL",
    help="The server; default: the one that uses the state folder, else the config's port.",
)
@click.option(
    "--watch",
    type=click.FloatRange(min=0.2),
    metavar="SECONDS",
    help="Look again and again until Ctrl-C.",
)
@config_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    url: str | None,
    watch: float | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Show how the pool is: verdict, accounts, quota, resets.

    Exits with 3 when the server is not running and with 4 when no account can serve
    or the pool is paused.
    A server that asks for a key gets $MAXPOOL_KEY, else the one made for this machine's tools.
    """
    source = source_of(url, config_file)
    if watch is not None:
        _watch(source, watch, as_json)
        return
    status = source.look()
    _show(status, as_json)
    if not render.can_serve(status):
        click.echo(PAUSED if render.paused(status) else NOBODY, err=True)
        ctx.exit(NO_ACCOUNT)


def source_of(url: str | None, config_file: Path | None) -> Source:
    """The server at `url`, else the one that uses the config's state folder, else the config's port."""
    found = peek(config_file)
    folder = found.folder or state_folder()
    alive = running(folder)
    here = alive.url if alive is not None else found.url
    # The folder's own key is for its own server, which runs there now, and for nobody else.
    known = alive is not None and url in (None, alive.url)
    key = client_key() or (local_key(folder) if known else None)
    return Source(url=url or here, certificate=found.tls_cert, key=key)


def _show(status: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(status, indent=2))
    elif _fancy():
        console = _console()
        console.print(render.renderable(status, width=console.width))
    else:
        click.echo("\n".join(render.plain(status, terminal_width())))


def _watch(source: Source, every_s: float, as_json: bool) -> None:
    try:
        if as_json or not _fancy():
            _watch_plain(source, every_s, as_json)
        else:
            _watch_live(source, every_s)
    except KeyboardInterrupt:
        click.echo()  # the end that was asked for


def _watch_plain(source: Source, every_s: float, as_json: bool) -> None:
    while True:
        status = source.look()
        click.echo(
            json.dumps(status)
            if as_json
            else "\n".join([*render.plain(status, terminal_width()), ""])
        )
        sys.stdout.flush()
        time.sleep(every_s)


def _watch_live(source: Source, every_s: float) -> None:
    from rich.live import Live

    status = source.look()
    console = _console()
    with Live(render.renderable(status, width=console.width), console=console) as live:
        while True:
            time.sleep(every_s)
            before, status = status, source.look()
            speed = render.requests_per_s(before, status)
            live.update(render.renderable(status, width=console.width, per_s=speed))


def _fancy() -> bool:
    """Whether a person with a colour terminal reads this."""
    return sys.stdout.isatty() and not no_color()


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)

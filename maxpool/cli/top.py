"""`maxpool top`: the pool live in the terminal, and keys to act on it. Needs the extra `tui`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from maxpool.cli.options import config_option, url_option
from maxpool.errors import MaxpoolError, NotRunning

if TYPE_CHECKING:
    from pathlib import Path

    from maxpool.cli.top_app import Top

SAID = {
    "pause": "Paused: new requests wait. P goes on.",
    "resume": "The pool takes requests again.",
    "automatic": "The pool chooses by itself; no account is preferred.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What the screen's keys do to the running server, as the commands of the same names do."""

    url: str | None
    config_file: Path | None

    def account(self, action: str, account_id: str) -> str:
        """What to say when it is done."""
        from maxpool.cli.accounts import ACTIONS, carried_out
        from maxpool.cli.accounts_edit import ASKING_S
        from maxpool.cli.accounts_place import found

        one = found(self.url, self.config_file, account_id)
        if one is None:
            raise NotRunning("the server is not running", "Start it with: maxpool serve")
        if action == "probe":
            told = one.server.post(f"{one.path}/probe", within_s=ASKING_S)
            return f"{one.account['name']}: {told['result']}"
        return ACTIONS[action][1](carried_out(action, one))

    def pool(self, action: str) -> str:
        """What to say when it is done."""
        from maxpool.cli.control import control

        control(self.url, self.config_file).post(f"/{action}")
        return SAID[action]


@click.command(name="top", epilog="Example: maxpool top")
@url_option
@config_option
def command(url: str | None, config_file: Path | None) -> None:
    """Watch the pool live: verdict, accounts, requests, sessions, queue; act by keys.

    Press ? there for all keys. Actions need the server's admin key, which is found on this machine.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise MaxpoolError(
            "top needs a terminal of its own", "In a pipe use: maxpool status --watch 2"
        )
    app = screen(url, config_file)
    app.run()


def screen(url: str | None, config_file: Path | None) -> Top:
    """The screen for the server at `url`, else this machine's own; raises `NotRunning` without one."""
    from maxpool.cli.status import source_of

    top_app = _textual()
    source_of(url, config_file).look()

    from maxpool.cli.top_feed import Feed

    found: Top = top_app.Top(
        lambda tell: Feed(lambda: source_of(url, config_file), tell),
        Keys(url=url, config_file=config_file),
    )
    return found


def _textual() -> Any:  # noqa: ANN401 - a module
    try:
        from maxpool.cli import top_app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "textual":
            raise
        raise MaxpoolError(
            "top needs textual, which is not installed here",
            "Install it with: pip install 'maxpool[tui]' (or use: maxpool status --watch 2)",
        ) from error
    return top_app

"""Where `maxpool accounts` finds and changes things: the running server, the config file, the saved state.

What the config file says is changed there, whether a server runs or not; a running one is told, and has
followed when the command returns. Everything else is the server's, or the saved state's without one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maxpool.cli.control import Control, control, word
from maxpool.config import environment
from maxpool.config.peek import peek
from maxpool.config.running import running
from maxpool.errors import MaxpoolError, NotRunning

if TYPE_CHECKING:
    Document = dict[str, Any]

STARTS = "The server is not running; it starts with that."


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An account of a running server."""

    server: Control
    account: Document

    @property
    def path(self) -> str:
        """Its place in the admin API."""
        return f"/accounts/{word(self.account['id'])}"

    @property
    def file(self) -> Path | None:
        """The config file it stands in, when this command may change that: on this machine."""
        named = self.account["config_path"]
        in_file = self.account["in_file"] and named is not None and self.server.local
        return Path(named) if in_file else None

    def followed(self) -> None:
        """Have the server go by the changed file."""
        self.server.post("/reload")


def first_answer(
    url: str | None, config_file: Path | None, path: str
) -> tuple[Control, Document] | None:
    """A running server and its answer to a GET; None when none runs here."""
    try:
        server = control(url, config_file)
        return server, server.get(path)
    except NotRunning:
        if url is not None:
            raise
        return None


def found(url: str | None, config_file: Path | None, name: str) -> Found | None:
    """The account of the running server; None when none runs here."""
    answer = first_answer(url, config_file, f"/accounts/{word(name)}")
    if answer is None:
        return None
    one = Found(server=answer[0], account=answer[1])
    if config_file is not None and one.file is not None and not _same(config_file, one.file):
        raise MaxpoolError(
            f"the running server uses {one.file}, not {config_file}", "Leave --config out"
        )
    return one


def silent_server(config_file: Path | None) -> str:
    """What to say of a server that is there and does not answer; "" when there is none."""
    alive = running(peek(config_file).folder or environment.state_folder())
    return f"The server (pid {alive.pid}) does not answer. " if alive is not None else ""


def _same(one: Path, other: Path) -> bool:
    return one.absolute().resolve() == other.resolve()


def done(found: Document, as_json: bool, text: str) -> None:
    """Say what was done, and that no server runs where none does."""
    from maxpool.cli.control import printed
    from maxpool.cli.tables import printable

    at_rest = found.get("running") is False
    said = f"{text} {STARTS}" if at_rest else text
    click.echo(printed({"running": not at_rest, **found}) if as_json else printable(said))

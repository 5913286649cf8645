"""`maxpool reload`: the running server reads its config file again; with --exec a new process takes over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from maxpool.cli.options import config_option, json_option, url_option

if TYPE_CHECKING:
    from pathlib import Path

WAIT_S = 600.0
"""Longer than [server] handover can sensibly be: the server tells what went wrong, not the clock."""


@click.command(name="reload", epilog="Example: maxpool reload --exec")
@click.option(
    "--exec",
    "execute",
    is_flag=True,
    help="Have a new process take over, after an upgrade say: no connection is lost.",
)
@url_option
@config_option
@json_option
def command(execute: bool, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Have the server read its config file again (it follows edits by itself, too).

    Exits with 1 when the file is wrong; the earlier config then still holds.

    With --exec the server starts a new process of itself, with the installed version and the same
    options, and gives it the listening socket, the lock and all it knows; running answers finish in the
    old process within [server] drain. If the new one does not come to serve, the old one goes on as
    before, and this command exits with 1.
    """
    from maxpool.cli.control import control, printed

    server = control(url, config_file)
    if not execute:
        found = server.post("/reload")
        text = " ".join(["The config was read again.", *found["notices"]])
    else:
        found = server.post("/exec", within_s=WAIT_S)
        text = f"Process {found['pid']} serves now, process {found['old_pid']} {_rest(found)}."
    click.echo(printed(found) if as_json else text)


def _rest(found: dict[str, Any]) -> str:
    """What the old process still does."""
    running = found["in_flight"]
    if not running:
        return "has nothing left to do"
    answers = f"{running} answer{'' if running == 1 else 's'}"
    return f"may finish {answers} within {found['drain_s']:g} s"

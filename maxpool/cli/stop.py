"""`maxpool stop`: the running server drains and ends, as after one Ctrl-C."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from maxpool.cli.options import config_option, json_option, url_option

if TYPE_CHECKING:
    from pathlib import Path

LOOK_EVERY_S = 0.05


@click.command(name="stop", epilog="Example: maxpool stop")
@click.option(
    "--wait/--no-wait",
    default=True,
    show_default=True,
    help="Come back only when it has ended (at most its drain time and some seconds).",
)
@url_option
@config_option
@json_option
def command(wait: bool, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Stop the server: running answers may finish, nothing new is taken.

    They have the time that [server] drain gives; then they are cut.
    """
    from maxpool.cli.control import control, printed
    from maxpool.errors import MaxpoolError

    found = control(url, config_file).post("/stop")
    running = found["in_flight"]
    if not as_json:
        answers = f"{running} running answer{'' if running == 1 else 's'}"
        click.echo(f"Stopping; {answers} may finish." if running else "Stopping.")
    if wait and not _ended(config_file, url, found["drain_s"] + 10.0):
        raise MaxpoolError("it still runs", "Its log says what it waits for")
    if as_json:
        click.echo(printed(found))
    elif wait:
        click.echo("Stopped.")


def _ended(config_file: Path | None, url: str | None, within_s: float) -> bool:
    """Whether the server of the state folder is gone by then; one named by --url is not looked for."""
    from maxpool.config.environment import state_folder
    from maxpool.config.peek import peek
    from maxpool.config.running import running, used

    folder = peek(config_file).folder or state_folder()
    ends = time.monotonic() + within_s  # noqa: TID251 - a command waits in real time
    while url is None and (running(folder) is not None or used(folder)):
        if time.monotonic() >= ends:  # noqa: TID251
            return False
        time.sleep(LOOK_EVERY_S)
    return True

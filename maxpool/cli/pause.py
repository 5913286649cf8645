"""`maxpool pause`: new requests wait, running ones finish."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from maxpool.cli.options import config_option, json_option, url_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command(name="pause", epilog="Example: maxpool pause")
@url_option
@config_option
@json_option
def command(url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Let new requests wait until `maxpool resume`; running ones finish.

    They wait as long as they may wait in the queue. A restart does not end a pause.
    """
    from maxpool.cli.control import control, printed

    found = control(url, config_file).post("/pause")
    running = found["in_flight"]
    rest = f"; {running} running request{'' if running == 1 else 's'} may finish" if running else ""
    text = f"Paused: new requests wait{rest}. `maxpool resume` goes on."
    click.echo(printed(found) if as_json else text)

"""`maxpool resume`: ends a pause."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from maxpool.cli.options import config_option, json_option, url_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command(name="resume", epilog="Example: maxpool resume")
@url_option
@config_option
@json_option
def command(url: str | None, config_file: Path | None, as_json: bool) -> None:
    """End a pause: those who wait go on."""
    from maxpool.cli.control import control, printed

    found = control(url, config_file).post("/resume")
    waiting = found["queued"]
    rest = f" {waiting} still wait{'s' if waiting == 1 else ''} for an account." if waiting else ""
    click.echo(printed(found) if as_json else f"Requests are served again.{rest}")

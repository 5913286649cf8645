"""`maxpool reload`: the running server reads its config file again, now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from maxpool.cli.options import config_option, json_option, url_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command(name="reload", epilog="Example: maxpool reload")
@url_option
@config_option
@json_option
def command(url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Have the server read its config file again (it follows edits by itself, too).

    Exits with 1 when the file is wrong; the earlier config then still holds.
    """
    from maxpool.cli.control import control, printed

    found = control(url, config_file).post("/reload")
    text = " ".join(["The config was read again.", *found["notices"]])
    click.echo(printed(found) if as_json else text)

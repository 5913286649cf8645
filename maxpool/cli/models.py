"""`maxpool models`: what clients may ask for, and who serves it now or why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from maxpool.cli.options import config_option, json_option, url_option

if TYPE_CHECKING:
    from pathlib import Path

NO_ACCOUNT = 4


@click.command(name="models", epilog="Example: maxpool models claude-sonnet-5-5")
@click.argument("name", required=False)
@url_option
@config_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, name: str | None, url: str | None, config_file: Path | None, as_json: bool
) -> None:
    """List the models that can be asked for, or show who serves the model NAME.

    Exits with 4 when nobody can serve NAME now.
    """
    from maxpool.cli.control import control, printed, word
    from maxpool.cli.models_view import listed, shown
    from maxpool.cli.tables import show

    server = control(url, config_file)
    found = server.get("/models" if name is None else f"/models/{word(name)}")
    if as_json:
        click.echo(printed(found))
    else:
        show(listed(found) if name is None else shown(found))
    if name is not None and not found["ready"]:
        ctx.exit(NO_ACCOUNT)

"""`maxpool usage`: what was used and what it cost, by day or whatever else one asks for. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from maxpool.cli.options import config_option, json_option, url_option

if TYPE_CHECKING:
    from pathlib import Path

BY = {
    "hourly": "hour",
    "daily": "day",
    "weekly": "week",
    "monthly": "month",
    "model": "model",
    "account": "account",
    "client": "client",
    "session": "session",
    "device": "device",
}
USUAL = {"hourly": "1d", "weekly": "84d", "monthly": "365d", "session": "7d"}
"""How far back, unless --since says otherwise; all others: 30 days."""


@click.command(name="usage", epilog="Example: maxpool usage model --since 7d")
@click.argument("by", type=click.Choice(list(BY)), default="daily", metavar="[BY]")
@click.option("--since", metavar="WHEN", help="From then on: 7d, today, 2026-11-20, ...")
@click.option("--until", metavar="WHEN", help="Up to then; usual: now.")
@click.option("--account", metavar="NAME", help="Of this account only.")
@click.option("--model", metavar="NAME", help="Of this model only.")
@click.option("--client", metavar="NAME", help="Of this client key only.")
@click.option("--device", metavar="NAME", help="Of this device only (see POST /usage).")
@url_option
@config_option
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
def command(  # noqa: PLR0913 - one parameter an option
    by: str,
    since: str | None,
    until: str | None,
    account: str | None,
    model: str | None,
    client: str | None,
    device: str | None,
    url: str | None,
    config_file: Path | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show tokens, requests and cost: hourly, daily, weekly, monthly, or by model, account, client,
    session or device.

    Asks the running server; without one it reads the ledger itself. Costs are by list prices, unless the
    provider tells them; a + stands where some answers have no known price. Plans cost nothing here.
    """
    from maxpool.cli import usage_view
    from maxpool.cli.control import printed
    from maxpool.cli.tables import show

    if as_json and as_csv:
        raise click.UsageError("Give --json or --csv, not both.")
    told = {"account": account, "model": model, "client": client, "device": device}
    spans = _spans(since or USUAL.get(by, "30d"), until)
    found = _found(url, config_file, {"by": BY[by], **told, **spans})
    if as_json:
        click.echo(printed(found))
    elif as_csv:
        click.echo(usage_view.csv(found), nl=False)
    else:
        show(usage_view.listed(found))


def _spans(since: str, until: str | None) -> dict[str, float | None]:
    import time

    from maxpool.cli.moments import moment

    now = time.time()  # noqa: TID251 - a command looks at the clock itself
    found: dict[str, float | None] = {}
    for name, text in (("since", since), ("until", until)):
        try:
            found[name] = None if text is None else moment(text, now)
        except ValueError as error:
            raise click.UsageError(f"--{name} {error}") from None
    return found


def _found(url: str | None, config_file: Path | None, asked: dict[str, Any]) -> dict[str, Any]:
    from maxpool.cli.control import control
    from maxpool.errors import NotRunning

    try:
        return control(url, config_file).get("/usage", **asked)
    except NotRunning:
        if url is not None:
            raise
    from maxpool.app import records

    return records.usage(config_file, **asked)

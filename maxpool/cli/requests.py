"""`maxpool requests`: the latest requests, one line each. Changes nothing."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from maxpool.cli.options import config_option, json_option, url_option

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLLOW_S = 1.0
"""Between two questions while following."""


@click.command(name="requests", epilog="Example: maxpool requests --status failed --since 1d")
@click.option("--account", metavar="NAME", help="Of this account only.")
@click.option("--model", metavar="NAME", help="Of this model only.")
@click.option("--client", metavar="NAME", help="Of this client key only.")
@click.option("--session", metavar="ID", help="Of this session only (`maxpool sessions`).")
@click.option("--status", metavar="WORD", help="ok, failed, gone (the caller left), or a code.")
@click.option("--since", metavar="WHEN", help="From then on: 1h, today, 2026-11-20, ...")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many."
)
@click.option("--follow", is_flag=True, help="Go on with each request as it ends, until Ctrl-C.")
@url_option
@config_option
@json_option
def command(  # noqa: PLR0913 - one parameter an option
    account: str | None,
    model: str | None,
    client: str | None,
    session: str | None,
    status: str | None,
    since: str | None,
    limit: int,
    follow: bool,
    url: str | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Show the latest requests: when, which model and account, how they ended, tokens and cost.

    Asks the running server; without one it reads the ledger itself. `maxpool explain ID` says why one
    went to its account.
    """
    from maxpool.cli import requests_view
    from maxpool.cli.control import printed
    from maxpool.cli.tables import show

    if status is not None and status not in ("ok", "failed", "gone") and not _is_code(status):
        raise click.UsageError("--status must be ok, failed, gone, or a code such as 429.")
    told = {"account": account, "model": model, "client": client, "session": session}
    asked = {**told, "status": status, "since": _since(since), "limit": limit}
    if follow:
        with suppress(KeyboardInterrupt):
            _follow(url, config_file, asked, as_json=as_json)
        return
    found = _found(url, config_file, asked)
    if as_json:
        click.echo(printed(found))
    else:
        show(requests_view.listed(found))


def _is_code(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) == 3


def _since(text: str | None) -> float | None:
    import time

    from maxpool.cli.moments import moment

    now = time.time()  # noqa: TID251 - a command looks at the clock itself
    try:
        return None if text is None else moment(text, now)
    except ValueError as error:
        raise click.UsageError(f"--since {error}") from None


def _found(url: str | None, config_file: Path | None, asked: Mapping[str, Any]) -> dict[str, Any]:
    from maxpool.cli.control import control
    from maxpool.errors import NotRunning

    try:
        return control(url, config_file).get("/requests", **asked)
    except NotRunning:
        if url is not None:
            raise
    from maxpool.app import records

    return records.requests(config_file, **asked)


def _follow(
    url: str | None, config_file: Path | None, asked: Mapping[str, Any], *, as_json: bool
) -> None:
    """Lines as they come, the oldest first; ends with Ctrl-C, or with the server."""
    import json
    import time

    from maxpool.cli import requests_view
    from maxpool.cli.control import control
    from maxpool.cli.tables import printable

    server = control(url, config_file)
    after: int | None = None
    while True:
        more = {} if after is None else {"after": after, "limit": 1000}
        found = server.get("/requests", **{**asked, **more})
        for one in reversed(found["requests"]):
            after = max(after or 0, one["number"])
            line = json.dumps(one) if as_json else requests_view.line(one, found["now"])
            click.echo(line if as_json else printable(line))
        after = after or 0
        time.sleep(FOLLOW_S)

"""`maxpool explain`: why a request went where it went, or where one would go now. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from maxpool.cli.options import config_option, json_option, url_option

if TYPE_CHECKING:
    from pathlib import Path

    from maxpool.cli.control import Control

CLAUDE_CODE = "claude-code"
ANY_PROGRAM = "other"
NO_ACCOUNT = 4


@click.command(name="explain", epilog="Example: maxpool explain --model claude-sonnet-5-5")
@click.argument("request", required=False, metavar="[REQUEST]")
@click.option("--model", metavar="MODEL", help="Ask where a request for this model would go now.")
@click.option("--session", metavar="ID", help="As a turn of this session (`maxpool sessions`).")
@click.option(
    "--tokens", type=click.IntRange(0), metavar="N", help="With so many input tokens; default: 0."
)
@click.option(
    "--program",
    default=CLAUDE_CODE,
    show_default=True,
    metavar="NAME",
    help="As asked by this program; subscriptions serve claude-code alone. `other`: any other one.",
)
@click.option(
    "--login", metavar="NAME", help="As sent with this client's own login (`maxpool status`)."
)
@url_option
@config_option
@json_option
@click.pass_context
def command(  # noqa: PLR0913 - one parameter an option
    ctx: click.Context,
    request: str | None,
    model: str | None,
    session: str | None,
    tokens: int | None,
    program: str,
    login: str | None,
    url: str | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Say why a request went to its account: every candidate with its cost, all others by reason.

    REQUEST is the x-request-id of an answer, or a lease; without one it is the last request. With
    --model nothing is sent: it shows what would be chosen now, and exits with 4 if nobody can serve.
    """
    from maxpool.cli import explain_view
    from maxpool.cli.control import control, printed
    from maxpool.cli.tables import show

    if model is not None and request is not None:
        raise click.UsageError("Give a REQUEST or --model, not both.", ctx)
    if model is None and (session or login or tokens is not None):
        raise click.UsageError("--session, --tokens and --login need --model.", ctx)
    server = control(url, config_file)
    if model is None:
        found = _past(server, request)
        view = explain_view.told
    else:
        asked = None if program == ANY_PROGRAM else program
        wanted = {"model": model, "session": session, "input_tokens": tokens, "login": login}
        found = server.get("/explain", program=asked, **wanted)
        view = explain_view.explained
    if as_json:
        click.echo(printed(found))
    else:
        show(view(found))
    if model is not None and found["chosen"] is None:
        ctx.exit(NO_ACCOUNT)


def _past(server: Control, request: str | None) -> dict[str, Any]:
    """A request that was: the one named, or the last message."""
    from maxpool.cli.control import word
    from maxpool.errors import MaxpoolError

    if request is None:
        latest = server.get("/decisions", kind="messages", limit=1)["decisions"]
        if not latest:
            raise MaxpoolError(
                "this server has had no request since it started",
                "Send one, or ask what would happen: maxpool explain --model NAME",
            )
        request = str(latest[0]["request_id"])
    return server.get(f"/decisions/{word(request)}")

"""`maxpool providers`: who serves what, how warm it is; note a service, ask one, switch the checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from maxpool.cli.options import address, config_option, json_option, url_option

if TYPE_CHECKING:
    from pathlib import Path

MODES = ("off", "eco", "balanced", "aggressive")
FORMATS = ("anthropic", "openai-chat", "generate")


@click.group(name="providers", invoke_without_command=True)
@url_option
@config_option
@json_option
@click.pass_context
def command(ctx: click.Context, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """List the accounts by provider, note a service, ask one, or switch the checks of warmth."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(show_all, url=url, config_file=config_file, as_json=as_json)
    elif url is not None or config_file is not None or as_json:
        raise click.UsageError(f"Write options behind {ctx.invoked_subcommand}.", ctx)


@command.command(name="list", epilog="Example: maxpool providers list --json")
@url_option
@config_option
@json_option
def show_all(url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Show each account: format, state, warmth, speed, what its limits leave."""
    from maxpool.cli.control import control, printed
    from maxpool.cli.providers_view import listed
    from maxpool.cli.tables import show

    found = control(url, config_file).get("/providers")
    if as_json:
        click.echo(printed(found))
    else:
        show(listed(found))


@command.command(name="probes", epilog="Example: maxpool providers probes balanced")
@click.argument("mode", type=click.Choice(MODES), required=False)
@url_option
@config_option
@json_option
def probes(mode: str | None, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Show the checks that keep accounts warm, or switch them to MODE.

    eco (every 120 s) never costs a token; balanced (30 s) and aggressive (10 s) send a message of one
    token where a provider has no free question. Plans are never checked.
    """
    from maxpool.cli.control import control, printed
    from maxpool.cli.providers_view import warmth_lines
    from maxpool.cli.tables import show

    server = control(url, config_file)
    found = server.get("/warmth") if mode is None else server.post("/warmth", mode=mode)
    if as_json:
        click.echo(printed(found))
    else:
        show([*warmth_lines(found), *([found["note"]] if "note" in found else [])])


@command.command(name="test", epilog="Example: maxpool providers test groq")
@click.argument("name", metavar="ACCOUNT")
@config_option
@json_option
@click.pass_context
def test(ctx: click.Context, name: str, config_file: Path | None, as_json: bool) -> None:
    """Ask an account's service what it speaks and which models it has. Costs nothing.

    Needs no running server. Exits with 1 when its key is not taken or nothing answers.
    """
    from maxpool.app.discovering import ask_account
    from maxpool.cli import loop
    from maxpool.cli.control import printed
    from maxpool.cli.providers_view import spoken_json, spoken_lines
    from maxpool.cli.tables import printable
    from maxpool.service.verifying import Verified

    entry, found = loop.run(ask_account(config_file, name))
    verdict = found.finding(entry.format)
    good = isinstance(verdict, Verified)
    if as_json:
        told = {"account": entry.name, "good": good, **spoken_json(found, entry.format)}
        click.echo(printed({**told, "why": getattr(verdict, "why", None)}))
    else:
        for line in spoken_lines(found, entry.format):
            click.echo(printable(line))
        why = "" if good else f": {getattr(verdict, 'why', '')}"
        click.echo(printable(f"{entry.name} {'answers' if good else 'does not answer well'}{why}."))
    ctx.exit(0 if good else 1)


@command.command(
    name="add", epilog="Example: maxpool providers add groq https://api.groq.com/openai/v1"
)
@click.argument("name")
@click.argument("service", metavar="URL", callback=address)
@click.option("--format", "api_format", type=click.Choice(FORMATS), help="[default: found out]")
@config_option
@json_option
def add(
    name: str, service: str, api_format: str | None, config_file: Path | None, as_json: bool
) -> None:
    """Note a service as [providers.NAME]: what its accounts have in common.

    Accounts with `provider = "NAME"` have address and format from there.
    """
    from maxpool.app.discovering import add_section
    from maxpool.cli import loop
    from maxpool.cli.control import printed
    from maxpool.cli.providers_view import spoken_json, spoken_lines
    from maxpool.cli.tables import printable

    chosen, found = loop.run(add_section(config_file, name, service, api_format))
    if as_json:
        click.echo(printed({"provider": name, "base_url": service, **spoken_json(found, chosen)}))
        return
    for line in spoken_lines(found, chosen):
        click.echo(printable(line))
    click.echo(f'[providers.{name}] is noted. An account of it: provider = "{name}" and a secret.')

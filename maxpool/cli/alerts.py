"""`maxpool alerts`: what is wrong now, where that is told, a test message, and silence for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from maxpool.cli.options import config_option, json_option, url_option

if TYPE_CHECKING:
    from pathlib import Path

    from maxpool.cli.tables import Table


@click.group(name="alerts", invoke_without_command=True)
@url_option
@config_option
@json_option
@click.pass_context
def command(ctx: click.Context, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Show what is wrong now and where that is told, test a target, or ask for silence.

    Rules and targets stand in the config: [alerts] and [[alerts.rules]].
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(show_all, url=url, config_file=config_file, as_json=as_json)
    elif url is not None or config_file is not None or as_json:
        raise click.UsageError(f"Write options behind {ctx.invoked_subcommand}.", ctx)


@command.command(name="list", epilog="Example: maxpool alerts list")
@url_option
@config_option
@json_option
def show_all(url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Show what holds now, the targets and how they do, and what is silenced."""
    from maxpool.cli.control import control

    _show(control(url, config_file).get("/alerts"), as_json)


@command.command(name="test", epilog="Example: maxpool alerts test phone")
@click.argument("target", metavar="TARGET")
@url_option
@config_option
@json_option
def test(target: str, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Send a test message to a target of [alerts] targets."""
    from maxpool.cli.control import control, printed

    found = control(url, config_file).post("/alerts/test", within_s=60.0, target=target)
    click.echo(printed(found) if as_json else f"A test message for {target} was taken.")


@command.command(name="silence", epilog="Example: maxpool alerts silence 2h --rule week-used")
@click.argument("duration", metavar="DURATION")
@click.option("--rule", default="*", metavar="PATTERN", help="Only rules of this name.")
@click.option("--account", default="*", metavar="PATTERN", help="Only about these accounts.")
@url_option
@config_option
@json_option
def silence(
    duration: str,
    rule: str,
    account: str,
    url: str | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Tell nothing for so long ("2h", "3d"); 0s ends a silence. Commands show it all the same."""
    from maxpool.cli.control import control
    from maxpool.config.units import parse_duration

    try:
        for_s = parse_duration(duration)
    except ValueError as error:
        raise click.UsageError(f"DURATION {error}") from None
    told = control(url, config_file).post(
        "/alerts/silence", for_s=for_s, rule=rule, account=account
    )
    _show(told, as_json)


def _show(found: dict[str, Any], as_json: bool) -> None:
    from maxpool.cli.control import printed
    from maxpool.cli.tables import show

    if as_json:
        click.echo(printed(found))
        return
    firing = [a for a in found["alerts"] if a["told_at"] is not None]
    if not found["rules"]:
        click.echo("There are no alerts: [alerts] targets says where they would go.")
    elif not firing:
        click.echo(f"Nothing is wrong by {len(found['rules'])} rules.")
    show([table for table in (_alerts(found), _targets(found), _silences(found)) if table.rows])


def _alerts(found: dict[str, Any]) -> Table:
    from maxpool.cli.tables import Table

    rows = tuple(
        (a["rule"], a["account"] or "", a["about"] or "", "no" if a["told_at"] is None else "yes")
        for a in found["alerts"]
    )
    return Table(head=("ALERT", "ACCOUNT", "ABOUT", "TOLD"), rows=rows)


def _targets(found: dict[str, Any]) -> Table:
    from maxpool.cli.tables import Table

    rows = tuple(
        (name, str(t["sent"]), str(t["waiting"]), str(t["lost"]), t["last_error"] or "")
        for name, t in found["targets"].items()
    )
    return Table(head=("TARGET", "SENT", "WAITING", "LOST", "TROUBLE"), rows=rows)


def _silences(found: dict[str, Any]) -> Table:
    from maxpool.cli.tables import Table

    rows = tuple((s["rule"], s["account"]) for s in found["silences"])
    return Table(head=("SILENCED RULES", "ACCOUNTS"), rows=rows)

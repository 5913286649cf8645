"""`maxpool accounts`: look at the running pool's accounts, and change how they are used.

Nothing here edits the config file: what is changed holds in the running server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from maxpool.cli.options import config_option, json_option, url_option

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from maxpool.cli.control import Control

MAX_PRIORITY = 1_000_000
"""Either way, as in the config; taking it from there would load the whole config for a word."""


@click.group(name="accounts", invoke_without_command=True)
@url_option
@config_option
@json_option
@click.pass_context
def command(ctx: click.Context, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """List the accounts, or change how the running server uses one.

    A changed priority holds until the config file says something else, or the server restarts; enable,
    disable, drain and prefer outlive a restart.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(show_all, url=url, config_file=config_file, as_json=as_json)
    elif url is not None or config_file is not None or as_json:
        raise click.UsageError(f"Write options behind {ctx.invoked_subcommand}.", ctx)


def _server(url: str | None, config_file: Path | None) -> Control:
    from maxpool.cli.control import control

    return control(url, config_file)


@command.command(name="list", epilog="Example: maxpool accounts list --json")
@url_option
@config_option
@json_option
def show_all(url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Show every account, and what keeps it from serving."""
    from maxpool.cli.accounts_view import listed
    from maxpool.cli.control import printed
    from maxpool.cli.tables import show

    found = _server(url, config_file).get("/accounts")
    if as_json:
        click.echo(printed(found))
    else:
        show(listed(found, found["now"]))


@command.command(name="show", epilog="Example: maxpool accounts show max-1")
@click.argument("name")
@url_option
@config_option
@json_option
def show_one(name: str, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Show one account in full."""
    from maxpool.cli.accounts_view import shown
    from maxpool.cli.control import printed, word
    from maxpool.cli.tables import show

    found = _server(url, config_file).get(f"/accounts/{word(name)}")
    if as_json:
        click.echo(printed(found))
    else:
        show(shown(found, found["now"]))


def _done(found: dict[str, Any], as_json: bool, text: str) -> None:
    from maxpool.cli.control import printed
    from maxpool.cli.tables import printable

    click.echo(printed(found) if as_json else printable(text))


def _running(account: dict[str, Any]) -> str:
    """What becomes of the requests an account carries."""
    count = account["in_flight"]
    return f" {count} running request{'' if count == 1 else 's'} may finish." if count else ""


ACTIONS: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "enable": (
        "Let an account serve again, after disable or drain.",
        lambda a: f"{a['name']} is enabled (now {a['state']}).",
    ),
    "disable": (
        "Take an account out of service.",
        lambda a: f"{a['name']} is disabled.{_running(a)}",
    ),
    "drain": (
        "Give an account no new request; enable ends that.",
        lambda a: f"{a['name']} takes no new requests.{_running(a)}",
    ),
    "reset": (
        "Forget benches, cooldowns and failures (a dead login stays dead).",
        lambda a: f"{a['name']} starts afresh (now {a['state']}).",
    ),
    "confirm": (
        "Confirm a changed base_url: the account's credential may go there.",
        lambda a: f"{a['name']} may send its credential to {a['base_url']} (now {a['state']}).",
    ),
    "prefer": (
        "Use this account before all others while it can serve.",
        lambda a: f"{a['name']} comes before all others; `maxpool accounts automatic` ends that.",
    ),
}
"""Subcommand -> its help and what is said when it is done."""


def _action(action: str, help_text: str, said: Callable[[dict[str, Any]], str]) -> None:
    @command.command(
        name=action, help=help_text, epilog=f"Example: maxpool accounts {action} max-1"
    )
    @click.argument("name")
    @url_option
    @config_option
    @json_option
    def act(name: str, url: str | None, config_file: Path | None, as_json: bool) -> None:
        from maxpool.cli.control import word

        found = _server(url, config_file).post(f"/accounts/{word(name)}/{action}")
        _done(found, as_json, said(found))


for _name, (_help, _said) in ACTIONS.items():
    _action(_name, _help, _said)


@command.command(name="automatic", epilog="Example: maxpool accounts automatic")
@url_option
@config_option
@json_option
def automatic(url: str | None, config_file: Path | None, as_json: bool) -> None:
    """End a preference: the pool chooses by itself again."""
    found = _server(url, config_file).post("/automatic")
    _done(found, as_json, "The pool chooses by itself; no account is preferred.")


@command.command(
    name="priority",
    epilog="Example: maxpool accounts priority max-1 0",
    context_settings={"ignore_unknown_options": True},  # a number below zero looks like one
)
@click.argument("name")
@click.argument("priority", type=click.IntRange(-MAX_PRIORITY, MAX_PRIORITY))
@url_option
@config_option
@json_option
def priority(
    name: str, priority: int, url: str | None, config_file: Path | None, as_json: bool
) -> None:
    """Set an account's priority; lower comes first, and it may be below zero."""
    from maxpool.cli.control import word

    found = _server(url, config_file).patch(f"/accounts/{word(name)}", priority=priority)
    text = f"{found['name']} has priority {found['priority']}. {found['note']}"
    _done(found, as_json, text)

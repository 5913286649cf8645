"""`maxpool accounts`: look at the accounts, and change how they are used; with the server up or down.

Enabling and disabling stand in the config file; the rest holds in the running server and outlives it.
What changes an entry itself is in `accounts_edit`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from maxpool.cli import accounts_edit, accounts_money
from maxpool.cli.options import config_option, json_option, url_option
from maxpool.config.identity import OWN_LOGINS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from maxpool.app.offline import Resting
    from maxpool.cli.accounts_place import Found
    from maxpool.config.load import Loaded

    Document = dict[str, Any]


@click.group(name="accounts", invoke_without_command=True)
@url_option
@config_option
@json_option
@click.pass_context
def command(ctx: click.Context, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """List the accounts, or change them.

    Names, priorities, enable and disable are written to the config file, which a running server follows
    at once; drain, prefer and reset concern the pool and outlive a restart. Running requests go on.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(show_all, url=url, config_file=config_file, as_json=as_json)
    elif url is not None or config_file is not None or as_json:
        raise click.UsageError(f"Write options behind {ctx.invoked_subcommand}.", ctx)


for _command in (*accounts_edit.COMMANDS, accounts_money.topup):
    command.add_command(_command)


@command.command(name="list", epilog="Example: maxpool accounts list --json")
@url_option
@config_option
@json_option
def show_all(url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Show every account, and what keeps it from serving."""
    from maxpool.cli.accounts_place import first_answer
    from maxpool.cli.accounts_view import listed

    answer = first_answer(url, config_file, "/accounts")
    if answer is not None:
        found = {**answer[1], "running": True}
    else:
        from maxpool.app.offline import resting

        found = resting(config_file).accounts()
    _shown(found, config_file, as_json, listed)


@command.command(name="show", epilog="Example: maxpool accounts show max-1")
@click.argument("name")
@url_option
@config_option
@json_option
def show_one(name: str, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Show one account in full."""
    from maxpool.cli.accounts_place import found as find
    from maxpool.cli.accounts_view import shown

    one = find(url, config_file, name)
    if one is not None:
        found = {**one.account, "running": True}
    else:
        from maxpool.app.offline import resting

        pool = resting(config_file)
        found = pool.account(pool.find(name).stable_id)
    _shown(found, config_file, as_json, shown)


def _shown(
    found: Document, config_file: Path | None, as_json: bool, view: Callable[..., Any]
) -> None:
    from maxpool.cli.accounts_place import silent_server
    from maxpool.cli.control import printed
    from maxpool.cli.tables import show

    if as_json:
        click.echo(printed(found))
        return
    if not found["running"]:
        there = silent_server(config_file) or "The server is not running. "
        click.echo(f"{there}This is what the config file and the saved state say.\n")
        for notice in found.get("notices", ()):
            click.echo(notice)
    show(view(found, found["now"]))


def _running(account: Document) -> str:
    """What becomes of the requests an account carries."""
    count = account["in_flight"]
    return f" {count} running request{'' if count == 1 else 's'} may finish." if count else ""


ACTIONS: dict[str, tuple[str, Callable[[Document], str]]] = {
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


def _action(action: str, help_text: str, said: Callable[[Document], str]) -> None:
    @command.command(
        name=action, help=help_text, epilog=f"Example: maxpool accounts {action} max-1"
    )
    @click.argument("name")
    @url_option
    @config_option
    @json_option
    def act(name: str, url: str | None, config_file: Path | None, as_json: bool) -> None:
        from maxpool.cli.accounts_place import done

        if action == "confirm" and name == OWN_LOGINS:
            _confirm_logins(url, config_file, as_json=as_json)
            return
        found = _acted(action, name, url, config_file)
        done(found, as_json, said(found))


for _name, (_help, _said) in ACTIONS.items():
    _action(_name, _help, _said)


def _acted(action: str, name: str, url: str | None, config_file: Path | None) -> Document:
    from maxpool.cli.accounts_place import found as find

    one = find(url, config_file, name)
    if one is None:
        return _acted_at_rest(action, name, config_file)
    return carried_out(action, one)


def carried_out(action: str, one: Found) -> Document:
    """What an account of a running server has become, now that the action is done."""
    if one.file is not None and action in ("enable", "disable"):
        from maxpool.app.accounts import enable

        enable(one.file, one.account["name"], on=action == "enable")
        one.followed()
    # It also ends what was ordered by hand earlier: a drain, a disable kept with the state.
    return one.server.post(f"{one.path}/{action}")


def _acted_at_rest(action: str, name: str, config_file: Path | None) -> Document:
    from maxpool.app import accounts, offline

    def edit(loaded: Loaded) -> None:
        entry = offline.named(loaded, name)
        if action in ("enable", "disable") and loaded.path is not None:
            accounts.enable(loaded.path, entry.name, on=action == "enable")

    with offline.changing(config_file, edit) as pool:
        _carry_out(pool, action, name)
        return pool.account(pool.find(name).stable_id)


def _carry_out(pool: Resting, action: str, name: str) -> None:
    entry = pool.find(name)
    if action == "confirm":
        pool.confirm(entry)
    else:
        pool.command(action, entry.stable_id)


def _confirm_logins(url: str | None, config_file: Path | None, *, as_json: bool) -> None:
    from maxpool.cli.accounts_place import done, first_answer

    answer = first_answer(url, config_file, "/accounts")
    if answer is not None:
        found = answer[0].post("/client-logins/confirm")
    else:
        from maxpool.app import offline

        with offline.changing(config_file) as pool:
            found = {"name": OWN_LOGINS, "base_url": pool.confirm_logins(), "running": False}
    done(found, as_json, f"Clients' own logins may go to {found['base_url']}.")


@command.command(name="automatic", epilog="Example: maxpool accounts automatic")
@url_option
@config_option
@json_option
def automatic(url: str | None, config_file: Path | None, as_json: bool) -> None:
    """End a preference: the pool chooses by itself again."""
    from maxpool.cli.accounts_place import done, first_answer

    answer = first_answer(url, config_file, "/accounts")
    if answer is not None:
        found = answer[0].post("/automatic")
    else:
        from maxpool.app import offline

        with offline.changing(config_file) as pool:
            pool.command("automatic")
            found = {k: v for k, v in pool.accounts().items() if k != "accounts"}
    done(found, as_json, "The pool chooses by itself; no account is preferred.")

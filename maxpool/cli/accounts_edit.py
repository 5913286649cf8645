"""`maxpool accounts rename | remove | priority | probe | refresh`: one account's entry, quota, login.

What stands in the config file is edited there. An account that the admin API added is the server's.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from maxpool.cli.options import config_option, json_option, url_option

if TYPE_CHECKING:
    from pathlib import Path

    from maxpool.cli.accounts_place import Found

    Document = dict[str, Any]

MAX_PRIORITY = 1_000_000
"""Either way, as in the config; taking it from there would load the whole config for a word."""

ASKING_S = 90.0
"""For what the server asks of others: a token endpoint, a usage endpoint behind a pause."""


@click.command(name="rename", epilog="Example: maxpool accounts rename max-1 work")
@click.argument("name")
@click.argument("new")
@url_option
@config_option
@json_option
def rename(name: str, new: str, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Call an account otherwise. Its sessions, quota and secret stay its own."""
    from maxpool.app import accounts
    from maxpool.cli.accounts_place import done
    from maxpool.cli.accounts_place import found as find

    one = find(url, config_file, name)
    if one is None:
        from maxpool.app import offline

        with offline.locked(config_file) as loaded:
            entry = offline.named(loaded, name)
            accounts.rename(_path(loaded.path), entry.name, new)
        told: Document = {"id": entry.stable_id, "name": new, "running": False}
        before = entry.name
    else:
        before = one.account["name"]
        accounts.rename(_its_file(one, "rename"), before, new)
        one.followed()
        told = one.server.get(one.path)
    done(told, as_json, f"{before} is called {new} now.")


@click.command(name="remove", epilog="Example: maxpool accounts remove max-1 --yes")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--keep-secret", is_flag=True, help="Leave its secret where maxpool keeps it.")
@url_option
@config_option
@json_option
def remove(
    name: str,
    yes: bool,
    keep_secret: bool,
    url: str | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Remove an account and its secret; its running requests may finish.

    The login itself is not ended at its provider: `maxpool logout` does that.
    """
    from maxpool.app import accounts
    from maxpool.cli.accounts_place import done
    from maxpool.cli.accounts_place import found as find

    one = find(url, config_file, name)
    if one is None:
        from maxpool.app import offline

        with offline.locked(config_file) as loaded:
            entry = offline.named(loaded, name)
            _ask(entry.name, entry.kind, str(loaded.path), yes=yes)
            text = accounts.remove_account(_path(loaded.path), entry.name, keep_secret=keep_secret)
        done({"removed": entry.stable_id, "result": text, "running": False}, as_json, text)
        return
    account = one.account
    where = one.file or ("the running server" if not account["in_file"] else one.server.url)
    _ask(account["name"], account["kind"], str(where), yes=yes)
    if one.file is not None:
        text = accounts.remove_account(one.file, account["name"], keep_secret=keep_secret)
        one.followed()
        told: Document = {"removed": account["id"], "result": text}
    else:
        told = one.server.delete(one.path, **({"keep_secret": "true"} if keep_secret else {}))
    done(told, as_json, told["result"])


@click.command(
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
    from maxpool.app import accounts
    from maxpool.cli.accounts_place import done
    from maxpool.cli.accounts_place import found as find

    one = find(url, config_file, name)
    if one is None:
        from maxpool.app import offline

        with offline.locked(config_file) as loaded:
            entry = offline.named(loaded, name)
            accounts.set_entry(_path(loaded.path), entry.name, {"priority": priority})
        told: Document = {"id": entry.stable_id, "name": entry.name, "priority": priority}
        done({**told, "running": False}, as_json, f"{entry.name} has priority {priority}.")
        return
    if one.file is not None:
        accounts.set_entry(one.file, one.account["name"], {"priority": priority})
        one.followed()
    told = one.server.patch(one.path, priority=priority)  # ends an earlier change in memory, too
    note = "" if one.file is not None else f" {told['note']}"
    done(told, as_json, f"{told['name']} has priority {told['priority']}.{note}")


@click.command(name="probe", epilog="Example: maxpool accounts probe work")
@click.argument("name")
@url_option
@config_option
@json_option
def probe(name: str, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Ask the provider now how much of an account's quota is used.

    With no server running, it is asked from here, once.
    """
    from maxpool.cli.accounts_place import done
    from maxpool.cli.accounts_place import found as find
    from maxpool.cli.progress import working

    one = find(url, config_file, name)
    if one is not None:
        with working(f"asking for the quota of {name}"):
            told = one.server.post(f"{one.path}/probe", within_s=ASKING_S)
        done(told, as_json, str(told["result"]))
        return
    from maxpool.app import offline
    from maxpool.cli import loop

    with working(f"asking for the quota of {name}"):
        text, account = loop.run(offline.probe(config_file, name))
    done({**account, "result": text}, as_json, text)


@click.command(name="refresh", epilog="Example: maxpool accounts refresh work")
@click.argument("name")
@url_option
@config_option
@json_option
def refresh(name: str, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Get new tokens for an account's login now; the server does that."""
    from maxpool.cli.accounts_place import done
    from maxpool.cli.accounts_place import found as find
    from maxpool.errors import NotRunning

    one = find(url, config_file, name)
    if one is None:
        raise NotRunning(
            "the server is not running, and it is the one that refreshes logins",
            "Start it with: maxpool serve",
        )
    told = one.server.post(f"{one.path}/refresh", within_s=ASKING_S)
    done(told, as_json, str(told["result"]))


COMMANDS = (rename, remove, priority, probe, refresh)


def _ask(name: str, kind: str, where: str, *, yes: bool) -> None:
    """Make sure that a removal is meant."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody can be asked here: say --yes.", click.get_current_context())
    click.confirm(f"Remove {name} ({kind}) from {where}?", abort=True, err=True)


def _its_file(one: Found, action: str) -> Path:
    from maxpool.errors import MaxpoolError

    if one.file is None:
        name = one.account["name"]
        if one.account["runtime"]:
            raise MaxpoolError(
                f"{name} was added at run time: it has no entry to {action}",
                "Remove it and add it again as it should be",
            )
        if not one.account["in_file"]:
            raise MaxpoolError(f"{name} is no account of the config: there is nothing to {action}")
        raise MaxpoolError(
            f"the config file of {one.server.url} is not here", f"Run this there to {action} {name}"
        )
    return one.file


def _path(path: Path | None) -> Path:
    """The config file that an account was found in: there is one."""
    assert path is not None
    return path

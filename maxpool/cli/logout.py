"""`maxpool logout`: end an account's login, whether a server runs or not.

Says what was ended where: at the provider, in the vault, in the config. What maxpool does not keep
(a variable, a file, a home's own login) is named and left alone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from maxpool.cli.options import config_option, json_option

if TYPE_CHECKING:
    from pathlib import Path

    from maxpool.app.logout import Ended, Logout


@click.command(name="logout", epilog="Example: maxpool logout max-1 --keep-entry")
@click.argument("name")
@click.option("--keep-entry", is_flag=True, help="Keep the account in the config, disabled.")
@click.option("--yes", is_flag=True, help="Remove it from the config without asking.")
@config_option
@json_option
def command(
    name: str, keep_entry: bool, yes: bool, config_file: Path | None, as_json: bool
) -> None:
    """End the login of the account NAME and forget its secret. Running requests finish.

    Exits with 1 when the provider did not confirm that the login has ended; it is forgotten here
    all the same.
    """
    from maxpool.app.logout import forget, prepare_logout, revoke, take_out, undisturbed
    from maxpool.cli import loop
    from maxpool.cli.tables import printable

    logout = prepare_logout(name, config_file)
    keep = keep_entry or not _removes(name, yes=yes)
    take_out(logout)
    server = _tell(config_file)
    with undisturbed(logout) as logout:
        ended = loop.run(revoke(logout))
        forget(logout, keep_entry=keep)
    if server:
        _tell(config_file)
    if as_json:
        data = {
            "id": logout.entry.stable_id,
            "name": name,
            "at_provider": ended,
            "secret_removed": logout.credential is not None,
            "entry": "disabled" if keep else "removed",
            "server": "follows" if server else "not running",
        }
        click.echo(json.dumps(data, indent=2))
    else:
        for line in [*_ended(logout, ended), *_left(logout), _entry(name, keep=keep)]:
            click.echo(printable(line))
    if ended == "failed":
        raise click.exceptions.Exit(1)


def _removes(name: str, *, yes: bool) -> bool:
    """Whether the entry goes, too."""
    from maxpool.app.login import is_interactive

    if yes:
        return True
    if not is_interactive():
        raise click.UsageError(
            "there is no terminal to ask at: say --yes (remove the account from the config, too) "
            "or --keep-entry (keep it there, disabled)"
        )
    return click.confirm(f"Remove {name} from the config, too?", default=True, err=True)


def _ended(logout: Logout, ended: Ended) -> list[str]:
    """What the provider did about it."""
    match ended:
        case "revoked":
            return ["The provider has ended the login."]
        case "failed":
            return [
                "The provider did not confirm that the login has ended: end it in your settings there."
            ]
        case "no endpoint":
            what = "key" if logout.entry.kind in ("api_key", "provider") else "token"
            return [f"The {what} is still valid: end it in your settings at the provider."]
        case "nothing to revoke":
            return []


def _left(logout: Logout) -> list[str]:
    """What became of the secret."""
    entry = logout.entry
    if logout.vault is not None:
        if logout.credential is None:
            return ["There was no secret in the vault."]
        return [f"Its secret is removed from {logout.vault.place}."]
    if entry.secret is not None:
        form, _, rest = entry.secret.partition(":")
        where = {"env": f"the variable {rest}", "file": rest}.get(form, "what its command reads")
        return [f"Its secret is not maxpool's to remove: it is still in {where}."]
    if entry.kind == "home":
        return ["Its login stays in its home: sign out there, or delete that folder."]
    return []


def _entry(name: str, *, keep: bool) -> str:
    if keep:
        return f"{name} stays in the config, disabled. To use it again: maxpool login {name}"
    return f"{name} is removed from the config."


def _tell(config_file: Path | None) -> bool:
    """Have a running server follow; False when none runs."""
    from maxpool.cli.control import control
    from maxpool.errors import MaxpoolError, NotRunning

    try:
        control(None, config_file).post("/reload")
    except NotRunning:
        return False
    except MaxpoolError as error:
        click.echo(f"The running server did not follow: {error.message}.", err=True)
        click.echo(error.hint, err=True)
    return True

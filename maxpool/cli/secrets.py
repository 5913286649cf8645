"""`maxpool secrets`: where logins are kept on this machine, and the key to their encrypted file.

Prints where secrets are, never what they are.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maxpool.cli.options import config_option, json_option

if TYPE_CHECKING:
    from typing import Literal

    from maxpool.app.vault import PlaceReport, Report
    from maxpool.config.model import Config

NAMES = {"keyring": "the OS keyring", "file": "the encrypted file"}
COPY_HINT = (
    "Keep a copy of it apart from your back-ups of the state folder: without it the logins in the "
    "file are lost, and whoever has both has your logins."
)
PHRASE_HELP = (
    "A pass phrase is not stored; it is read from the environment at every start.",
    "Take at least 12 characters (four or five random words), or 32 random bytes in hex, and start",
    "both the server and the commands with it, for example from a password manager:",
    '  export MAXPOOL_SECRET_KEY="$(pass show maxpool)"',
    "or name a file of mode 0600 that holds it in MAXPOOL_SECRET_KEY_FILE. Under systemd:",
    "  LoadCredential=maxpool-key:/etc/maxpool/secret.key",
    "Without it the logins in the encrypted file are lost.",
)


@click.group(name="secrets")
def command() -> None:
    """Where logins are kept on this machine."""


@command.command(epilog="Example: maxpool secrets where --json")
@config_option
@json_option
def where(config_file: Path | None, as_json: bool) -> None:
    """Tell where secrets are kept, why not elsewhere, and which accounts have one there."""
    from maxpool.app.vault import report

    found = report(_config(config_file))
    if as_json:
        _json(asdict(found))
        return
    from maxpool.cli.tables import show

    show(_lines(found))


@command.command(epilog="Example: maxpool secrets init")
@config_option
@click.option("--passphrase", is_flag=True, help="Tell how to use a pass phrase instead of a file.")
@json_option
def init(config_file: Path | None, passphrase: bool, as_json: bool) -> None:
    """Make the key file for the encrypted file of logins; a key that is there stays."""
    if passphrase:
        click.echo("\n".join(PHRASE_HELP))
        return
    from maxpool.app.vault import make_key

    origin, made = make_key(_config(config_file))
    if as_json:
        _json({"key": origin, "made": made})
    elif made:
        click.echo(f"Made {origin}.\n{COPY_HINT}\nSee where logins go: maxpool secrets where")
    else:
        click.echo(f"There is a key already, and it stays: {origin}.")


@command.command(epilog="Example: maxpool secrets rekey")
@config_option
@click.option(
    "--new-key",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Take the new key or pass phrase from this file (mode 0600).",
)
@click.option("--ask", is_flag=True, help="Ask for the new pass phrase.")
@json_option
def rekey(config_file: Path | None, new_key: Path | None, ask: bool, as_json: bool) -> None:
    """Seal the encrypted file with a new key; the old one opens nothing any more.

    Safe at any moment: until the new one holds, the old one does. A running server follows.
    """
    from maxpool.app.vault import rekey as change
    from maxpool.cli.passphrase import passphrase
    from maxpool.cli.progress import working

    given = None
    if ask or new_key is not None:
        given = passphrase("New pass phrase", new_key, "--new-key", twice=True)
    with working("sealing everything anew"):
        origin = change(_config(config_file), given)
    if as_json:
        _json({"key": origin, "to_be_put_in_place": given is not None})
    elif given is None:
        click.echo(f"{origin} holds a new key, and everything is sealed with it.\n{COPY_HINT}")
    else:
        click.echo(
            f"Everything is sealed with the new key. Put it in place now: the old one came from "
            f"{origin}.\nUntil then, and until the server is started with it, logins cannot be read."
        )


@command.command(epilog="Example: maxpool secrets move file")
@click.argument("place", type=click.Choice(sorted(NAMES)))
@config_option
@json_option
def move(place: Literal["keyring", "file"], config_file: Path | None, as_json: bool) -> None:
    """Take every login to the OS keyring, or to the encrypted file; new ones go there, too.

    A running server follows.
    """
    from maxpool.app.secretmove import move as take
    from maxpool.cli.progress import working

    with working("moving the logins"):
        moved = take(_config(config_file), place)
    if as_json:
        _json({"place": place, "moved": moved})
        return
    count = f"{len(moved)} login{'' if len(moved) == 1 else 's'}" if moved else "No login"
    click.echo(f"{count} moved. Secrets are kept in {NAMES[place]} now.")


def _config(path: Path | None) -> Config:
    """The config; the defaults where there is no file yet: a key may come before the first login."""
    from maxpool.config.environment import config_path
    from maxpool.config.load import load, parse

    target = path or config_path()
    return load(path).config if target.exists() else parse("", target.absolute())


def _json(found: Any) -> None:  # noqa: ANN401 - anything JSON takes
    import json

    click.echo(json.dumps(found, indent=2))


def _lines(report: Report) -> list[str]:
    chosen = next((place for place in report.places if place.chosen), None)
    first = (
        f"Secrets are kept in {chosen.where}." if chosen else "There is no place for secrets yet."
    )
    if chosen is not None and not chosen.usable:
        first += " It does not work now."
    lines = [first, *(_place(place, report) for place in report.places)]
    if report.entries:
        count = len(report.entries)
        lines.append(f"{count} account{'' if count == 1 else 's'} with an entry:")
        lines += [
            f"  {e.name or f'{e.id} (no account of the config)'}: {NAMES[e.place]}"
            for e in report.entries
        ]
    else:
        lines.append("No account has an entry.")
    lines += report.warnings
    stuck = chosen or next((p for p in reversed(report.places) if not p.usable), None)
    if stuck is not None and not stuck.usable and stuck.hint:
        lines.append(stuck.hint)
    return lines


def _place(place: PlaceReport, report: Report) -> str:
    if not place.usable:
        return f"  {NAMES[place.place]}: no ({place.trouble})"
    key = f", its key is in {report.key}" if place.place == "file" else ""
    return f"  {NAMES[place.place]}: works{key}"

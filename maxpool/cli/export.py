"""`maxpool export`: the config and its credentials in one file for another machine, sealed.

Says what became of each account's login; the file is worth as much as its pass phrase.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maxpool.cli.options import config_option, json_option

if TYPE_CHECKING:
    from maxpool.app.transfer import Exported

MOVE_QUESTION = "Logins that rotate leave this machine; without the file they are lost. Go on?"


@click.command(name="export", epilog="Example: maxpool export pool.maxpool")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@config_option
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Take the pass phrase from this file (mode 0600).",
)
@click.option("--move", is_flag=True, help="Take OAuth logins along; they leave this machine.")
@click.option("--yes", is_flag=True, help="Do not ask before logins are moved.")
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
@json_option
def command(  # noqa: PLR0913 - click's own way
    file: Path,
    config_file: Path | None,
    passphrase_file: Path | None,
    move: bool,
    yes: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write accounts, settings and credentials to FILE, sealed with a pass phrase.

    OAuth logins stay here unless --move is given: their tokens rotate, so on two machines each would
    end the other's.
    """
    from maxpool.app.transfer import export
    from maxpool.cli.passphrase import passphrase
    from maxpool.cli.progress import working

    if file.exists() and not force:
        raise click.UsageError(f"{file} exists; name another file, or give --force.")
    if move and not yes and not _agreed():
        raise click.Abort
    phrase = passphrase(
        "Pass phrase for the file", passphrase_file, "--passphrase-file", twice=True
    )
    with working("sealing the file"):
        found = export(file, phrase, config_file, move=move)
    if as_json:
        import json
        from dataclasses import asdict

        click.echo(json.dumps({"file": str(file), **asdict(found)}, indent=2))
        return
    from maxpool.cli.tables import show

    show(lines(file, found))


def _agreed() -> bool:
    """Whether the person, or whatever answers for one, lets logins leave."""
    try:
        return click.confirm(MOVE_QUESTION, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise click.UsageError("Nobody answered: give --yes to move logins.") from None


def lines(file: Path, found: Exported) -> list[str]:
    """What became of each account's login."""
    count = len(found.accounts)
    told = [f"{file} holds the config with {count} account{'' if count == 1 else 's'}."]
    if found.copied:
        told.append(f"With their keys and tokens: {', '.join(found.copied)}.")
    if found.moved:
        names = ", ".join(found.moved)
        told.append(f"Moved, and no longer logged in here: {names}. Import on one machine only.")
    if found.rotating:
        names = ", ".join(found.rotating)
        told.append(f"Without their logins, which cannot be on two machines: {names} (see --move).")
    if found.used:
        names = ", ".join(found.used)
        told.append(f"Without their logins, whose tokens may be used up; log in anew: {names}.")
    told += [f"{name} takes its secret from {where}." for name, where in found.elsewhere.items()]
    if found.without:
        told.append(f"Not logged in: {', '.join(found.without)}.")
    told.append(f"On the other machine: maxpool import {file.name}")
    return told

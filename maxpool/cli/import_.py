"""`maxpool import`: accounts, settings and credentials from a file that `maxpool export` made.

Says what it took and what it left; nothing here is overwritten unless that is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from maxpool.cli.options import config_option, json_option

if TYPE_CHECKING:
    from maxpool.app.transfer import Imported


@click.command(name="import", epilog="Example: maxpool import pool.maxpool")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@config_option
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Take the pass phrase from this file (mode 0600).",
)
@click.option("--replace", is_flag=True, help="Overwrite what differs here.")
@json_option
def command(
    file: Path,
    config_file: Path | None,
    passphrase_file: Path | None,
    replace: bool,
    as_json: bool,
) -> None:
    """Add the accounts, settings and credentials in FILE to this machine's.

    Accounts are matched by id. What is here already stays unless --replace is given.
    """
    from maxpool.app.transfer import import_bundle, read
    from maxpool.cli.passphrase import passphrase
    from maxpool.cli.progress import working
    from maxpool.config.environment import config_path

    phrase = passphrase("Pass phrase of the file", passphrase_file, "--passphrase-file")
    target = (config_file or config_path()).absolute()
    with working("opening the file"):
        found = import_bundle(read(file, phrase), target, replace=replace)
    if as_json:
        import json
        from dataclasses import asdict

        click.echo(json.dumps({"config": str(target), **asdict(found)}, indent=2))
        return
    from maxpool.cli.tables import show

    show(lines(file, target, found))


def lines(file: Path, target: Path, found: Imported) -> list[str]:
    """What was taken, what was left, and what is still to be done."""
    some = found.added or found.replaced or found.credentials or found.moved
    told = [f"Imported into {target}." if some else f"Nothing new for {target}."]
    groups = (
        ("Added", found.added),
        ("Replaced", found.replaced),
        ("Kept as it is here (--replace overwrites it)", found.kept),
        ("Left out: of the other machine, or to be written by hand", found.left_out),
        ("Keys and tokens put into the vault", found.credentials),
        ("Logins kept as they are here (--replace overwrites them)", found.credentials_kept),
        ("Log in with `maxpool login NAME`", found.to_log_in),
        ("Called like another account here; rename that one, then import again", found.refused),
    )
    told += [f"{words}: {', '.join(names)}." for words, names in groups if names]
    outside = found.elsewhere.items()
    told += [f"{name} takes its secret from {where} here, too." for name, where in outside]
    if found.moved:
        moved = ", ".join(found.moved)
        told.append(f"Moved here: {moved}. Remove {file} now: a second import would end them.")
    return told

"""`maxpool config check` and `config show`: what the config file says, and what is wrong with it.

What changes the file is in `config_edit`.
"""

from __future__ import annotations

import json
import os
import shlex
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maxpool.cli import config_edit
from maxpool.cli.options import config_option, json_option
from maxpool.config.environment import environ

if TYPE_CHECKING:
    from maxpool.config.account import AccountConfig
    from maxpool.config.load import Loaded
    from maxpool.errors import ConfigError


@click.group(name="config")
def command() -> None:
    """Check the config file, show what holds, or change it."""


for _command in config_edit.COMMANDS:
    command.add_command(_command)


@command.command(epilog="Example: maxpool config check --config new.toml")
@config_option
@json_option
@click.pass_context
def check(ctx: click.Context, config_file: Path | None, as_json: bool) -> None:
    """Name every problem of the config file, or say what each account serves.

    Exits with 2 when something is wrong.
    """
    from maxpool.config.load import load
    from maxpool.errors import ConfigError

    try:
        loaded = load(config_file)
    except ConfigError as error:
        if not as_json:
            raise
        click.echo(json.dumps({"valid": False, "problems": _problems(error)}, indent=2))
        ctx.exit(error.exit_code)
    entries = [_entry(entry, loaded) for entry in loaded.config.accounts]
    if as_json:
        path = str(loaded.path) if loaded.path else None
        click.echo(json.dumps({"valid": True, "path": path, "accounts": entries}, indent=2))
        return
    click.echo("\n".join(_summary(loaded, entries)))


@command.command(epilog="Example: maxpool config show --json")
@config_option
@json_option
def show(config_file: Path | None, as_json: bool) -> None:
    """Print the config as it holds, each value with its origin.

    Secrets are shown as references, never as values.
    """
    from maxpool.config.environment import config_path
    from maxpool.config.load import load
    from maxpool.config.show import as_json as to_json
    from maxpool.config.show import as_toml, tables

    loaded = load(config_file)
    found = list(tables(loaded))
    if as_json:
        path = str(loaded.path) if loaded.path else None
        click.echo(json.dumps({"path": path, **to_json(found)}, indent=2))
        return
    where = str(loaded.path) if loaded.path else f"{config_path()} (no such file yet: defaults)"
    click.echo(f"# {where}")
    click.echo(as_toml(found), nl=False)


def _problems(error: ConfigError) -> list[dict[str, Any]]:
    return [
        {"path": p.path, "line": p.line, "text": p.text, "message": p.message, "hint": p.hint}
        for p in error.problems
    ]


def _entry(entry: AccountConfig, loaded: Loaded) -> dict[str, Any]:
    from maxpool.config import checks, derive

    reference = derive.reference(entry)
    found, trouble = _found(entry.secret), _trouble(entry.secret)
    if reference.startswith("vault"):
        found = _in_vault(entry, loaded)
        missing = f"no login yet: maxpool login {shlex.quote(entry.name)}"
        trouble = missing if found is False else None
    return {
        "id": entry.stable_id,
        "name": entry.name,
        "kind": entry.kind,
        "enabled": entry.enabled,
        "serves": "*" if entry.programs is None else sorted(entry.programs),
        "base_url": derive.base_url(loaded.config, entry),
        "secret": reference or None,
        "secret_found": found,
        "secret_problem": trouble,
        "notes": list(checks.doubts(entry)),
    }


def _in_vault(entry: AccountConfig, loaded: Loaded) -> bool | None:
    """Whether the vault has the account's login; None when it has none and needs none."""
    from maxpool.app.vault import lazy_vault

    if entry.stable_id in lazy_vault(loaded.config).index().entries:
        return True
    return None if entry.kind == "provider" else False


def _found(reference: str | None) -> bool | None:
    """Whether a secret is where its reference says; None when only using it would tell."""
    form, _, rest = (reference or "").partition(":")
    if form == "env":
        return bool(environ().get(rest))
    return Path(rest).is_file() if form == "file" else None


def _trouble(reference: str | None) -> str | None:
    """Why the server would not take a secret that is missing, or a file that others may read."""
    if _found(reference) is False:
        return "not found here"
    form, _, rest = (reference or "").partition(":")
    if form != "file":
        return None
    if not os.access(rest, os.R_OK):
        return "cannot be read"
    mode = stat.S_IMODE(Path(rest).stat().st_mode)
    if os.name == "posix" and mode & 0o077:  # elsewhere modes tell nothing
        return f"mode {mode:04o}: run chmod 600 {shlex.quote(rest)}"
    return None


def _summary(loaded: Loaded, entries: list[dict[str, Any]]) -> list[str]:
    if loaded.path is None:
        first = "There is no config file yet: the defaults hold."
    else:
        first = f"{loaded.path} is valid."
    if not entries:
        return [first, "No account yet: `maxpool login NAME` adds one."]
    lines = [first, f"{len(entries)} account{'s' if len(entries) != 1 else ''}:"]
    for entry in entries:
        lines += [_line(entry), *(f"    {note}" for note in entry["notes"])]
    unused = [e["name"] for e in entries if e["enabled"] and e["secret_problem"]]
    if unused:
        lines.append(f"Until that is mended, maxpool serve will not use: {', '.join(unused)}.")
    return lines


def _line(entry: dict[str, Any]) -> str:
    serves = "every program" if entry["serves"] == "*" else " and ".join(entry["serves"])
    state = "" if entry["enabled"] else ", disabled"
    in_vault = (entry["secret"] or "").startswith("vault")
    known = "in the vault" if in_vault else entry["secret"]
    nothing = known is None or (in_vault and entry["secret_found"] is None)
    secret = ", no secret" if nothing else f", secret {known}"
    trouble = f" ({entry['secret_problem']})" if entry["secret_problem"] else ""
    return f"  {entry['name']}: {entry['kind']} at {entry['base_url']}, serves {serves}{state}{secret}{trouble}"

"""`maxpool config set | unset | edit | alias | limit`: the config file changed from the command line, or in an editor.

Every change is checked whole before it is written, keeps comments and order, and is followed by a running
server. Decides nothing about what a setting means.
"""

from __future__ import annotations

import sys
import tomllib
from typing import TYPE_CHECKING, Any

import click

from maxpool.cli.options import config_option, json_option

if TYPE_CHECKING:
    from pathlib import Path

    Value = object | None

KEY_HELP = "Name a key as SECTION.KEY, as in queue.max_wait or accounts.work.priority"


@click.command(name="set", epilog="Example: maxpool config set queue.max_wait 30s")
@click.argument("key")
@click.argument("value")
@config_option
@json_option
def put(key: str, value: str, config_file: Path | None, as_json: bool) -> None:
    """Set a key of the config file: SECTION.KEY, or accounts.NAME.KEY.

    VALUE is read as TOML where it is that (true, 3, ["a", "b"]), else as text: 30s needs no quotes.
    The file is checked before it is written; a running server follows.
    """
    path = path_of(key)
    target = _target(config_file)
    meant = _set_first(target, path, _readings(value))
    _done(target, as_json, f"{key} is {_shown(meant)} now.", key=key, value=meant)


@click.command(name="unset", epilog="Example: maxpool config unset queue.max_wait")
@click.argument("key")
@config_option
@json_option
def unset(key: str, config_file: Path | None, as_json: bool) -> None:
    """Remove a key from the config file, so that its default holds."""
    target = _target(config_file)
    _change(target, path_of(key), None)
    _done(target, as_json, f"{key} is as it is by default.", key=key, value=None)


@click.command(name="edit", epilog="Example: maxpool config edit")
@config_option
def edit(config_file: Path | None) -> None:
    """Open the config file in $VISUAL or $EDITOR, then check it."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("There is no terminal to edit in: use maxpool config set.")
    target = _target(config_file)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    target.touch(mode=0o600)
    click.edit(filename=str(target))
    from maxpool.config.load import load

    load(target)
    click.echo(f"{target} is valid; a running server follows.")


@click.group(name="alias")
def alias() -> None:
    """Names that clients may use for models, and what they stand for."""


@alias.command(name="add", epilog="Example: maxpool config alias add best claude-opus-5-5")
@click.argument("name")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@config_option
@json_option
def add_alias(name: str, targets: tuple[str, ...], config_file: Path | None, as_json: bool) -> None:
    """Have NAME stand for one model or several: MODEL or ACCOUNT/MODEL, each with @WEIGHT if need be."""
    target = _target(config_file)
    _change(target, ("aliases", name, "targets"), list(targets))
    said = f"{name} stands for {', '.join(targets)}."
    _done(target, as_json, said, name=name, targets=list(targets))


@alias.command(name="remove", epilog="Example: maxpool config alias remove best")
@click.argument("name")
@config_option
@json_option
def remove_alias(name: str, config_file: Path | None, as_json: bool) -> None:
    """Have NAME be an ordinary model name again."""
    from maxpool.config.load import load
    from maxpool.errors import MaxpoolError

    target = _target(config_file)
    known = load(target).config.aliases
    if name not in known:
        there = ", ".join(known) or "none"
        raise MaxpoolError(f"there is no alias called {name!r}", f"There are: {there}")
    _change(target, ("aliases", name), None)
    _done(target, as_json, f"{name} stands for nothing else any more.", name=name)


@alias.command(name="list", epilog="Example: maxpool config alias list")
@config_option
@json_option
def list_aliases(config_file: Path | None, as_json: bool) -> None:
    """Show every alias of the config file and what it stands for."""
    from maxpool.cli.tables import Table, show
    from maxpool.config.load import load

    found = load(config_file).config.aliases
    if as_json:
        import json

        aliases = {name: one.model_dump(mode="json") for name, one in found.items()}
        click.echo(json.dumps({"aliases": aliases}, indent=2))
        return
    if not found:
        show(["There is no alias: maxpool config alias add NAME TARGET makes one."])
        return
    rows = tuple(
        (
            name,
            one.strategy,
            ", ".join(map(str, one.targets)) or (f"tier {one.tier}" if one.tier else "-"),
            ", ".join(map(str, one.fallback_targets)) or "-",
        )
        for name, one in found.items()
    )
    show([Table(head=("ALIAS", "STRATEGY", "TARGETS", "ELSE"), rows=rows, less=(1,))])


@click.group(name="limit")
def limit() -> None:
    """Limits of your own on requests, tokens and money."""


@limit.command(name="add", epilog='Example: maxpool config limit add account="console*" usd=5/week')
@click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE...")
@config_option
@json_option
def add_limit(settings: tuple[str, ...], config_file: Path | None, as_json: bool) -> None:
    """Add a limit: requests, tokens or usd, for the provider, account, model or client_key named."""
    from maxpool.app import accounts

    values: dict[str, object] = {}
    for one in settings:
        key, equals, value = one.partition("=")
        if not (key and equals and value):
            raise click.UsageError(f"{one!r} is not written as KEY=VALUE.")
        values[key] = _readings(value)[0]
    target = _target(config_file)
    accounts.add_entry(target, values, "limits")
    _done(target, as_json, f"Added a limit: {', '.join(settings)}.", **values)


@limit.command(name="list", epilog="Example: maxpool config limit list")
@config_option
@json_option
def list_limits(config_file: Path | None, as_json: bool) -> None:
    """Show the limits of the config file; what is left of them is in `maxpool status --json`."""
    from maxpool.cli.tables import Table, show
    from maxpool.config.environment import config_path
    from maxpool.config.load import load

    load(config_file)  # says what is wrong with the file, if anything
    path = (config_file or config_path()).absolute()
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = tomllib.loads(text.removeprefix("\ufeff")).get("limits", [])
    if as_json:
        import json

        click.echo(json.dumps({"limits": found}, indent=2))
        return
    if not found:
        show(["There is no limit: maxpool config limit add KEY=VALUE makes one."])
        return
    names = ("provider", "account", "model", "client_key", "requests", "tokens", "usd", "window")
    used = [name for name in names if any(name in one for one in found)]
    rows = tuple(tuple(str(one.get(name, "-")) for name in used) for one in found)
    show([Table(head=tuple(name.upper() for name in used), rows=rows)])


COMMANDS = (put, unset, edit, alias, limit)


def path_of(key: str) -> tuple[str, ...]:
    """The steps of a dotted key, quoted where a name holds a dot: `aliases."claude-3.5".targets`."""
    try:
        table: Any = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError as error:
        raise click.UsageError(f"{key!r} is no key. {KEY_HELP}.") from error
    path = []
    while isinstance(table, dict) and len(table) == 1:
        step, table = next(iter(table.items()))
        path.append(step)
    if isinstance(table, dict):  # more than one line
        raise click.UsageError(f"{key!r} is no key. {KEY_HELP}.")
    if len(path) < 2 and path != ["version"]:
        raise click.UsageError(f"{key!r} names no section. {KEY_HELP}.")
    return tuple(path)


def _readings(value: str) -> list[object]:
    """What a value may mean, likeliest first."""
    try:
        found = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return [value]
    return [found["value"], value] if len(found) == 1 else [value]


def _set_first(target: Path, path: tuple[str, ...], readings: list[object]) -> object:
    """Set what is valid first; what is wrong with the likeliest is said when nothing is."""
    from maxpool.errors import ConfigError

    wrong: ConfigError | None = None
    for value in readings:
        try:
            _change(target, path, value)
        except ConfigError as error:
            wrong = wrong or error
        else:
            return value
    assert wrong is not None
    raise wrong


def _change(target: Path, path: tuple[str, ...], value: Value) -> None:
    from maxpool.app import accounts

    if path[0] in (accounts.ACCOUNTS, accounts.KEYS):
        if len(path) != 3:
            raise click.UsageError(f"Write {path[0]}.NAME.KEY: one key of one entry.")
        accounts.set_entry(target, path[1], {path[2]: value}, path[0])
    else:
        accounts.set_value(target, path[:-1], path[-1], value)


def _target(config_file: Path | None) -> Path:
    from maxpool.config.environment import config_path

    return (config_file or config_path()).absolute()


def _shown(value: object) -> str:
    from maxpool.config.show import toml_value

    return toml_value(value)


def _done(target: Path, as_json: bool, said: str, **found: object) -> None:
    from maxpool.cli.tables import printable

    if as_json:
        import json

        click.echo(json.dumps({"path": str(target), **found}, indent=2, default=str))
    else:
        click.echo(printable(said))

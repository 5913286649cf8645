"""`maxpool keys`: client keys, one for each tool or person, so that one can be revoked alone.

A key is shown once, when it is made; the config file keeps its SHA-256.
"""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maxpool.cli.options import config_option, json_option, url_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from maxpool.cli.control import Control
    from maxpool.cli.tables import Table

    Document = dict[str, Any]


@click.group(name="keys")
def command() -> None:
    """Make, list and revoke the keys that clients of this server show."""


@command.command(epilog="Example: maxpool keys add laptop --priority 10")
@click.argument("name")
@click.option(
    "--priority",
    type=click.IntRange(0, 100),
    default=0,
    show_default=True,
    help="The most urgent its requests may claim to be; 0 is first.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    help="A model it may ask for, or a pattern with *; several times for more. Default: all.",
)
@click.option("--profile", metavar="NAME", help="The profile of all its requests.")
@click.option("--requests", type=click.IntRange(1), help="Most of its requests at once.")
@click.option("--max-wait", metavar="TIME", help='Longest wait of its requests: "60s", "0".')
@click.option(
    "--expires", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Its last day (UTC)."
)
@url_option
@config_option
@json_option
def add(
    name: str,
    priority: int,
    url: str | None,
    config_file: Path | None,
    as_json: bool,
    **limits: object,
) -> None:
    """Make a client key and print it; it cannot be shown again."""
    said = {limit: _written(value) for limit, value in limits.items() if value not in (None, ())}
    server, path = _where(url, config_file)
    if path is None and server is not None:
        told = server.post("/keys", name=name, priority=priority, **_as_json(said))
        key = told["key"]
    else:
        from maxpool.app import keys

        key = keys.add(_file(path, config_file), name, priority, said).reveal()
        _follow(server)
    if as_json:
        made = {"name": name, "priority": priority, **_as_json(said), "key": key}
        _print({**made, "running": server is not None})
        return
    click.echo(key)
    _aside(f"That is the key {name}, shown this once: the config file keeps only its SHA-256.")
    _aside("Clients send it as x-api-key or as a bearer (ANTHROPIC_AUTH_TOKEN).")


@command.command(name="list", epilog="Example: maxpool keys list --json")
@url_option
@config_option
@json_option
def show_all(url: str | None, config_file: Path | None, as_json: bool) -> None:
    """List the client keys by name."""
    from maxpool.cli.accounts_place import first_answer
    from maxpool.cli.tables import show

    answer = first_answer(url, config_file, "/keys")
    if answer is not None:
        found: list[Document] = answer[1]["keys"]
    else:
        from maxpool.app.offline import client_keys

        found = client_keys(config_file)
    if as_json:
        _print({"keys": found, "running": answer is not None})
        return
    show(_listed(found))


@command.command(epilog="Example: maxpool keys revoke laptop")
@click.argument("name")
@url_option
@config_option
@json_option
def revoke(name: str, url: str | None, config_file: Path | None, as_json: bool) -> None:
    """Let a client key in no more; its running requests may finish."""
    server, path = _where(url, config_file)
    if path is None and server is not None:
        server.delete(f"/keys/{_word(name)}")
    else:
        from maxpool.app import keys

        keys.revoke(_file(path, config_file), name)
        _follow(server)
    if as_json:
        _print({"revoked": name, "running": server is not None})
    else:
        click.echo(f"{name} opens nothing any more.")


def _where(url: str | None, config_file: Path | None) -> tuple[Control | None, Path | None]:
    """The running server, and the config file of it that is here."""
    from maxpool.cli.accounts_place import first_answer

    answer = first_answer(url, config_file, "/keys")
    if answer is None:
        return None, None
    server, told = answer
    named = told["config_path"]
    return server, Path(named) if server.local and named is not None else None


def _file(path: Path | None, config_file: Path | None) -> Path:
    from maxpool.config.environment import config_path

    return path or config_file or config_path()


def _follow(server: Control | None) -> None:
    if server is not None:
        server.post("/reload")


def _word(name: str) -> str:
    from maxpool.cli.control import word

    return word(name)


def _written(value: object) -> object:
    """An option as the config file writes it."""
    if isinstance(value, datetime):
        return value.date()
    return list(value) if isinstance(value, tuple) else value


def _as_json(said: Document) -> Document:
    return {key: str(value) if isinstance(value, date) else value for key, value in said.items()}


def _listed(found: Iterable[Document]) -> list[str | Table]:
    from maxpool.cli.tables import Table

    rows = tuple(
        (key["name"], str(key["priority"]), _limits(key.get("limits", {})), _kept(key["kept"]))
        for key in found
    )
    if not rows:
        return ["There is no client key. Make one with: maxpool keys add NAME"]
    return [Table(head=("KEY", "PRIORITY", "LIMITS", "KEPT"), rows=rows, numbers=frozenset({1}))]


def _limits(limits: Document) -> str:
    words = {
        "models": "models {}",
        "profile": "profile {}",
        "requests": "{} at once",
        "max_wait": "waits {}",
        "expires": "until {}",
    }
    told = {key: " ".join(v) if isinstance(v, list) else v for key, v in limits.items()}
    return ", ".join(text.format(told[key]) for key, text in words.items() if key in told)


def _kept(where: str) -> str:
    if where == "hash":
        return "as SHA-256 in the config"
    return f"{where} in the state folder" if ":" not in where else where


def _print(document: Document) -> None:
    from maxpool.cli.control import printed

    click.echo(printed(document))


def _aside(text: str) -> None:
    """Beside the output, so that a script may take the key alone."""
    click.echo(text, err=True)

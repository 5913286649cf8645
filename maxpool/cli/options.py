"""Options that several verbs share, and what they mean. Imports only click."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., object]")

SHELLS = ("auto", "bash", "fish", "powershell")


def config_option(function: F) -> F:
    """`--config FILE`."""
    option = click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="The config file; default: $MAXPOOL_CONFIG, else the platform's config folder.",
    )
    return option(function)


def url_option(function: F) -> F:
    """`--url URL`, for verbs that need the admin key."""
    option = click.option(
        "--url",
        callback=address,
        metavar="URL",
        help="The server; default: the one that uses the state folder.",
    )
    return option(function)


def json_option(function: F) -> F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(
        function
    )


def terminal_width() -> int | None:
    """How many columns the terminal has that reads this; None when none does."""
    import shutil
    import sys

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def address(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A click callback: the value is an http(s) address."""
    if value is None:
        return None
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise click.BadParameter("must be an address such as http://127.0.0.1:3456", ctx, parameter)
    return value.rstrip("/")

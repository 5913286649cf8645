"""`maxpool login NAME --provider URL`: what is found out about the service before its entry is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from maxpool.app.login import Login
    from maxpool.ports import Secret
    from maxpool.service.discovery import Discovery
    from maxpool.service.verifying import Finding
    from maxpool.wire.credential import StoredCredential


def signed_in(
    login: Login, secret: Secret | None
) -> tuple[Login, StoredCredential | None, Finding, Discovery]:
    """Ask the service, say what it told, and note the format; a refused key raises SecretError.

    What the command line or the entry says of the format holds; else the better one of those found.
    """
    from maxpool.app.discovering import ask, in_format
    from maxpool.app.login import of_secret
    from maxpool.cli import loop
    from maxpool.cli.providers_view import spoken_lines
    from maxpool.cli.tables import printable
    from maxpool.errors import SecretError
    from maxpool.service.verifying import Refused

    found = loop.run(ask(login.config, login.entry, secret))
    if login.wish.format is None and (login.existing is None or login.wish.base_url is not None):
        best = found.best
        if best is not None and best != login.entry.format:
            login = in_format(login, best)
    for line in spoken_lines(found, login.entry.format):
        click.echo(printable(line), err=True)
    verdict = found.finding(login.entry.format)
    if isinstance(verdict, Refused):
        raise SecretError(
            f"{login.destination.base_url} does not take this credential, so it was not stored "
            f"({verdict.why})",
            "Check that it is whole and still valid, then log in again",
        )
    return login, None if secret is None else of_secret(login, secret, verdict), verdict, found

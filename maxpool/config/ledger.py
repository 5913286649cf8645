"""Where the ledger is: what `[ledger] url` may say. Checks one value; opens nothing."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, ValidationInfo

from maxpool.config.fields import key_reference, wrong

SCHEMES: Final = ("sqlite", "postgresql", "postgres")
_FORMS: Final = '"sqlite:////path/file", "postgresql://host/database", "env:NAME" or "file:PATH"'


def is_reference(text: str) -> bool:
    """Whether it says where the URL is found, rather than being one."""
    return text.startswith(("env:", "file:"))


def _url(text: str, info: ValidationInfo) -> str:
    """A URL without a password, a reference to one, or nothing."""
    if not text:
        return ""
    if is_reference(text):
        return key_reference(text, info)
    try:
        parts = urlsplit(text)
        secret = parts.password is not None or "password=" in parts.query
    except ValueError:
        raise wrong("is no URL", _FORMS) from None
    if parts.scheme not in SCHEMES:
        raise wrong("must name SQLite or PostgreSQL", _FORMS)
    if secret:
        raise wrong(
            "must not hold a password",
            'put the whole URL into an environment variable or a file of mode 0600: "env:NAME", "file:PATH"',
        )
    return text


LedgerUrl = Annotated[str, AfterValidator(_url)]

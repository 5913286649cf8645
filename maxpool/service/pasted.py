"""What a person handed over as a secret: is it what this kind of account takes?

Told by form alone, before anything is sent anywhere. Messages name what was recognised and the
command that takes it, and never repeat the text.
"""

from __future__ import annotations

from maxpool.errors import MaxpoolError, SecretError
from maxpool.ports import Secret

PLAN_TOKEN = "sk-ant-oat"  # noqa: S105 - how a subscription's token begins
REFRESH_TOKEN = "sk-ant-ort"  # noqa: S105 - how the token begins with which a client renews its login
API_KEY = "sk-ant-api"
PLAN_TOKEN_MIN = 40
"""Characters: real ones have about a hundred; fewer is a paste that broke off."""

MAX_SECRET = 16 * 1024
"""Characters; longer than any key or token, shorter than a file that was given by mistake."""

OWN_LOGIN = (
    "Two programs cannot share a login that renews itself: the first to renew it locks the other "
    "out. Take a token of its own: claude setup-token, then maxpool login NAME"
)
"""Why a login of another program is not taken over (and what is)."""


def secret(text: str, kind: str) -> Secret:
    """The secret in `text`, if an account of that kind can use it; raises SecretError."""
    value = "".join(text.split())
    if not value:
        raise SecretError("nothing was given", "Paste the key or token, then press Enter")
    if len(text) > MAX_SECRET:
        raise SecretError("that is longer than any key or token", "Copy the key or token alone")
    refuse_foreign(text)
    if not value.isascii() or not value.isprintable():
        raise SecretError(
            "that holds characters which no key or token has", "Copy the key or token anew"
        )
    if kind == "subscription":
        _check_token(value)
    elif value.startswith(PLAN_TOKEN):
        raise SecretError(
            "that is a subscription's token, not an API key",
            "For a subscription, leave the option out: maxpool login NAME",
        )
    return Secret(value)


def refuse_foreign(text: str) -> None:
    """Raise MaxpoolError for another program's login, or for the file it lies in (claim T11)."""
    start = text.lstrip()[:1]
    bare = text.strip().strip("'\"")
    if start in ("{", "["):
        raise MaxpoolError("that is a credentials file of another program, not a token", OWN_LOGIN)
    if REFRESH_TOKEN in text:
        raise MaxpoolError("that is the refresh token of another program's login", OWN_LOGIN)
    if bare.endswith(".json") or bare.startswith(("~/", "./", "../")):
        raise MaxpoolError("that is the name of a file, not a token", OWN_LOGIN)


def _check_token(value: str) -> None:
    if value.startswith(API_KEY):
        raise SecretError(
            "that is an API key, not a subscription's token",
            "For a key: maxpool login NAME --api-key",
        )
    if not value.startswith(PLAN_TOKEN):
        raise SecretError(
            f"that is no token of claude setup-token: those begin with {PLAN_TOKEN}01-",
            "Copy the whole line that it printed; for a key: maxpool login NAME --api-key",
        )
    if len(value) < PLAN_TOKEN_MIN:
        raise SecretError("the token is not whole", "Copy the whole token, from sk-ant-oat01- on")

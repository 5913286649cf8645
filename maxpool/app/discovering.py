"""Asking an account's service what it speaks, and noting it: for `maxpool login --provider` and `providers`.

Needs no server. A stored credential goes to the origin it was given for, and nowhere else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from maxpool.adapters.upstream import HttpUpstream
from maxpool.app import accounts
from maxpool.app.vault import lazy_vault, secret_source
from maxpool.config import derive
from maxpool.config.load import load
from maxpool.errors import MaxpoolError, SecretError
from maxpool.service.discovery import Discovery, discover
from maxpool.service.origins import origin_of, same_place
from maxpool.wire.credential import decode

if TYPE_CHECKING:
    from pathlib import Path

    from maxpool.app.login import Login
    from maxpool.config.account import AccountConfig
    from maxpool.config.model import Config
    from maxpool.ports import Secret


def secret_of(config: Config, entry: AccountConfig, folder: Path | None) -> Secret | None:
    """The account's credential, None where it needs none; raises SecretError where there is none."""
    from maxpool.ports import Secret

    reference = derive.reference(entry)
    if not reference:
        return None
    vault = lazy_vault(config)
    if not reference.startswith("vault"):
        return secret_source(config, folder, vault).resolve(reference)
    found = vault.get(entry.stable_id)
    if found is None:
        if reference.startswith("vault?"):
            return None
        raise SecretError("nothing is stored for it", f"Run: maxpool login {entry.name}")
    try:
        stored = decode(found.reveal())
    except ValueError:
        raise SecretError("what is stored for it cannot be read", "Log in again") from None
    if not same_place(stored.origin, origin_of(derive.base_url(config, entry))):
        raise SecretError(
            f"its credential belongs to {stored.origin}, and its base_url leads elsewhere",
            f"Run: maxpool accounts confirm {entry.name}",
        )
    return Secret(stored.secret)


async def ask(config: Config, entry: AccountConfig, secret: Secret | None) -> Discovery:
    """What the account's service speaks, and which models it lists. Spends no token."""
    ca_file = config.upstream.ca_file
    upstream = HttpUpstream(ca_file=str(ca_file) if ca_file is not None else None)
    try:
        return await discover(
            upstream,
            derive.base_url(config, entry),
            secret,
            auth_header=entry.auth_header,
            headers=[(n.encode(), v.encode()) for n, v in entry.headers.items()],
        )
    finally:
        await upstream.aclose()


async def ask_account(config_file: Path | None, name: str) -> tuple[AccountConfig, Discovery]:
    """The same for an account of the config, by its name or id."""
    from maxpool.app.offline import named

    loaded = load(config_file)
    entry = named(loaded, name)
    folder = loaded.path.parent if loaded.path is not None else None
    return entry, await ask(loaded.config, entry, secret_of(loaded.config, entry, folder))


def in_format(login: Login, api_format: str) -> Login:
    """A login whose account will speak that format."""
    entry = login.entry.model_copy(update={"format": api_format})
    return replace(login, wish=replace(login.wish, format=api_format), entry=entry)


async def add_section(
    config_file: Path | None, name: str, url: str, api_format: str | None
) -> tuple[str, Discovery]:
    """Note a service as `[providers.NAME]`; the format it was noted with, and what was found."""
    from maxpool.config import environment

    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise MaxpoolError(f"{name!r} cannot be a provider's name", "Letters, digits, - and _")
    path = (config_file or environment.config_path()).absolute()
    upstream = HttpUpstream()
    try:
        found = await discover(upstream, url, None)
    finally:
        await upstream.aclose()
    chosen = api_format or found.best
    if chosen is None:
        raise MaxpoolError(
            f"nothing at {url} tells which format it speaks",
            "Say it: --format openai-chat (or anthropic, generate)",
        )
    accounts.set_value(path, f"providers.{name}", "format", chosen)
    accounts.set_value(path, f"providers.{name}", "base_url", url)
    return chosen, found

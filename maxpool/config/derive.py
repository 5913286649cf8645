"""From the config as written to the values the rest of the program takes.

Pure: no file, no secret, no decision. The environment matters only for the default state folder.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from maxpool.config import environment
from maxpool.config.fields import is_loopback, parse_key_price
from maxpool.core.account import Account
from maxpool.core.settings import PoolSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from maxpool.config.account import AccountConfig
    from maxpool.config.model import Config


def pool_settings(config: Config) -> PoolSettings:
    """The core's settings: `[pool]` by equal names, and what `[queue]` and `[storage]` say of it."""
    pool = config.pool
    names = {field.name for field in fields(PoolSettings)} & set(type(pool).model_fields)
    values: dict[str, Any] = {name: getattr(pool, name) for name in names - {"key_price"}}
    price, wait_s = parse_key_price(pool.key_price)
    values["key_price"] = price
    if wait_s is not None:
        values["key_price_after_s"] = wait_s
    return PoolSettings(
        **values,
        window_lengths={"5h": pool.window_5h_s, "7d": pool.window_7d_s},
        queue_limit=config.queue.limit,
        queue_max_wait_s=config.queue.max_wait_s,
        queue_aging_s=config.queue.aging_s,
        client_keys=len(config.client_keys),
        save_gap_s=config.storage.save_gap_s,
        probe_gap_s=config.probes.gap_s,
        probe_gap_max_s=config.probes.gap_max_s,
        probe_lane_s=config.probes.lane_s,
        refresh_ahead_s=config.refresh.ahead_s,
    )


def account(entry: AccountConfig) -> Account:
    """The core's account for one `[[accounts]]` entry."""
    return Account(
        id=entry.stable_id,
        name=entry.name,
        kind=entry.kind,
        provider=provider(entry),
        plan=entry.plan,
        priority=entry.priority,
        enabled=entry.enabled,
        tier=entry.tier,
        weight=entry.weight,
        caps=dict(entry.caps),
        reserve=dict(entry.reserve),
        emergency=entry.emergency,
        serves=entry.programs,
        profiles=None if entry.profiles is None else frozenset(entry.profiles),
        format=entry.format,
        models=models(entry),
        slots=entry.slots,
    )


def accounts(config: Config) -> list[Account]:
    """Every account of the config, in file order."""
    return [account(entry) for entry in config.accounts]


def reference(entry: AccountConfig) -> str:
    """Where the account's secret is found: as written, else its own entry in the vault; "" = none.

    A provider without a written secret may have one in the vault, and may do without (`vault?:`).
    """
    if entry.secret is not None:
        return entry.secret
    if entry.auth_header == "none" or entry.kind == "home":
        return ""
    return f"vault{'?' if entry.kind == 'provider' else ''}:{entry.stable_id}"


def models(entry: AccountConfig) -> dict[str, str]:
    """The model map: as written, or every model under the one fixed name; empty = as named."""
    return {"*": entry.model} if entry.model is not None else dict(entry.models)


def provider(entry: AccountConfig) -> str:
    """Who issued the account: as written, else Anthropic, else (for a provider) its own name."""
    if entry.provider is not None:
        return entry.provider
    return entry.name if entry.kind == "provider" else "anthropic"


def base_url(config: Config, entry: AccountConfig) -> str:
    """Where the account's requests go: its own origin, else the shared one."""
    return entry.base_url or config.upstream.base_url


def key_required(config: Config) -> bool:
    """Whether callers must show a key: when asked for, and always beyond loopback."""
    return config.server.require_key or not is_loopback(config.server.host)


def state_folder(config: Config, environ: Mapping[str, str] | None = None) -> Path:
    """Where state rests: `[storage] folder`, else $MAXPOOL_HOME, else the platform's state folder."""
    return config.storage.folder or environment.state_folder(environ)

"""From the config as written to the values the rest of the program takes.

Pure: no file, no secret, no decision. The environment matters only for the default state folder.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from maxpool.config import environment
from maxpool.config.account import ACCOUNT_ID, CLAUDE_CODE
from maxpool.config.failures import cooldowns_of, failures_of
from maxpool.config.fields import is_loopback, parse_key_price
from maxpool.config.limits import account_rules, pool_rules
from maxpool.config.prices import table_of
from maxpool.core.account import Account
from maxpool.core.cooldowns import PROVIDER
from maxpool.core.needs import CHAT_LACKS, PROMPT_LACKS, RESOURCES, UNSIGNED_THINKING
from maxpool.core.settings import PoolSettings
from maxpool.wire.chat_options import enabled_by, options_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from maxpool.config.account import AccountConfig
    from maxpool.config.failures import Classes
    from maxpool.config.model import Config
    from maxpool.wire.verdict_provider import Failures


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
        cross_provider=config.models.cross_provider,
        cross_after_s=config.models.cross_after_s,
        when_all_cooling=config.models.when_all_cooling,
        queue_limit=config.queue.limit,
        queue_max_wait_s=config.queue.max_wait_s,
        queue_aging_s=config.queue.aging_s,
        client_keys=len(config.client_keys),
        save_gap_s=config.storage.save_gap_s,
        probe_gap_s=config.probes.gap_s,
        probe_gap_max_s=config.probes.gap_max_s,
        probe_lane_s=config.probes.lane_s,
        refresh_ahead_s=config.refresh.ahead_s,
        limits=pool_rules(config),
        price_table=table_of(config.prices),
    )


def account(
    entry: AccountConfig,
    *,
    probes: bool = False,
    upstream: str = "",
    failures: Classes | None = None,
) -> Account:
    """The core's account for one `[[accounts]]` entry.

    `probes`: its usage can be asked for; `upstream`: the origin where it is reached;
    `failures`: what the config says of all.
    """
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
        tiers={str(tier): model for tier, model in entry.tiers.items()},
        cooldowns=cooldowns_of(failures or {}, entry.failures) if entry.kind == PROVIDER else {},
        lacks=lacks(entry),
        lacks_abroad=lacks_abroad(entry),
        context=dict(entry.context),
        max_output_tokens=options_of(entry.body).max_tokens_max,
        slots=entry.slots,
        probes=probes,
        limits=account_rules(entry),
        balance_usd=entry.balance_usd,
        minimum_balance_usd=entry.minimum_balance_usd,
        upstream=upstream,
    )


def accounts(config: Config) -> list[Account]:
    """Every account of the config, in file order."""
    return [
        account(
            entry,
            probes=usage_url(config, entry) is not None,
            upstream="{0.scheme}://{0.netloc}".format(urlsplit(base_url(config, entry))).lower(),
            failures=config.failures,
        )
        for entry in config.accounts
    ]


def failures(config: Config, entry: AccountConfig) -> Failures | None:
    """How another vendor's errors are read; None where they are Anthropic's own."""
    if entry.kind != PROVIDER:
        return None
    return failures_of(config.failures, entry.failures, config.upstream.provider_tries)


def usage_url(config: Config, entry: AccountConfig) -> str | None:
    """Where the account's usage may be asked for; None where nowhere, or its owner wants no probes.

    Only at the origin that the account itself has: its bearer belongs to no other.
    """
    profile = config.oauth.get(entry.oauth or "") if entry.kind == "oauth" else None
    if profile is None or profile.usage_url is None:
        return None
    if not (config.probes.enabled and entry.probes):
        return None
    here, there = urlsplit(base_url(config, entry)), urlsplit(profile.usage_url)
    same = (here.scheme, here.netloc.lower()) == (there.scheme, there.netloc.lower())
    return profile.usage_url if same else None


def homes(config: Config) -> frozenset[str]:
    """Ids of the homes: nothing is ever sent for them from here."""
    return frozenset(entry.stable_id for entry in config.accounts if entry.kind == "home")


def reference(entry: AccountConfig) -> str:
    """Where the account's secret is found: as written, else its own entry in the vault; "" = none.

    A provider without a written secret may have one in the vault, and may do without (`vault?:`).
    """
    if entry.secret is not None:
        return entry.secret
    if entry.auth_header == "none" or entry.kind == "home":
        return ""
    return f"vault{'?' if entry.kind == 'provider' else ''}:{entry.stable_id}"


def may_use_plan(config: Config, entry: AccountConfig) -> bool:
    """Whether an account may send a subscription's token: for Claude Code only, by its terms.

    No terms bind the invented subscriptions of the simulated upstream on this machine.
    """
    if entry.kind != "oauth":
        return entry.kind == "subscription"
    host = urlsplit(base_url(config, entry)).hostname or ""
    return entry.programs == frozenset({CLAUDE_CODE}) or is_loopback(host)


def models(entry: AccountConfig) -> dict[str, str]:
    """The model map: as written, or every model under the one fixed name; empty = as named."""
    return {"*": entry.model} if entry.model is not None else dict(entry.models)


def lacks(entry: AccountConfig) -> frozenset[str]:
    """What the account cannot take: by its format, as its options change that, as its owner says."""
    if entry.format == "generate":
        usual: frozenset[str] = PROMPT_LACKS
    elif entry.format == "openai-chat":
        usual = CHAT_LACKS - enabled_by(options_of(entry.body))
    else:
        own = provider(entry) == "anthropic"  # which takes back no thinking but what it signed
        usual = frozenset({UNSIGNED_THINKING if own else RESOURCES})
    return (usual - set(entry.can)) | set(entry.lacks)


def lacks_abroad(entry: AccountConfig) -> frozenset[str]:
    """What of that is in the way of clients of another API only: those of its own send it as it is."""
    return lacks(entry) - set(entry.lacks) if entry.format == "openai-chat" else frozenset()


def provider(entry: AccountConfig) -> str:
    """Who issued the account: as written, else Anthropic, else (for a provider) its own name."""
    if entry.provider is not None:
        return entry.provider
    return entry.name if entry.kind == "provider" else "anthropic"


def base_url(config: Config, entry: AccountConfig) -> str:
    """Where the account's requests go: its own origin, else the shared one."""
    url = entry.base_url or config.upstream.base_url
    return url if entry.account_id is None else url.replace(ACCOUNT_ID, entry.account_id)


def root_url(config: Config, entry: AccountConfig) -> str:
    """The same, below which the API's paths begin; of Messages without the `/v1` that they begin with."""
    url = base_url(config, entry).rstrip("/")
    return url.removesuffix("/v1") if entry.format == "anthropic" else url


def auth_header(entry: AccountConfig) -> str:
    """How its secret is sent: as written, else as a bearer where the API is not Anthropic's."""
    usual = entry.format == "anthropic" or entry.auth_header != "auto"
    return entry.auth_header if usual else "bearer"


def key_required(config: Config) -> bool:
    """Whether callers must show a key: when asked for, and always beyond loopback."""
    return config.server.require_key or not on_loopback(config)


def on_loopback(config: Config) -> bool:
    """Whether only this machine can reach the server."""
    return is_loopback(config.server.host)


def state_folder(config: Config, environ: Mapping[str, str] | None = None) -> Path:
    """Where state rests: `[storage] folder`, else $MAXPOOL_HOME, else the platform's state folder."""
    return config.storage.folder or environment.state_folder(environ)

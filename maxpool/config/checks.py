"""Rules of the config that look at more than one key.

Pure functions over the typed settings; each finding names the key to blame. They run over whatever
parts of a file are valid, so that one wrong key does not hide another problem.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from maxpool.config.account import (
    ACCOUNT_ID,
    CLAUDE_CODE,
    OF_CLAUDE_CODE,
    AccountConfig,
    ClientKeyConfig,
)
from maxpool.config.failures import flaws
from maxpool.config.fields import is_loopback
from maxpool.config.names import problems as names_problems

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from maxpool.config.failures import Classes
    from maxpool.config.locate import Path
    from maxpool.config.model import ProbesConfig, QueueConfig, ServerConfig, UpstreamConfig
    from maxpool.config.names import AliasConfig, SetConfig
    from maxpool.config.oauth import OAuthProfileConfig


PROBE_GAP_MIN_S = 300.0

PLANS = ("max_20x", "max_5x", "pro", "team", "enterprise")
"""What a plan may be called; any other text counts as the first, the largest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One problem: the key path to blame, what is wrong, what to write instead."""

    path: Path
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The valid parts of a file; accounts and keys carry their position in it."""

    server: ServerConfig | None = None
    upstream: UpstreamConfig | None = None
    queue: QueueConfig | None = None
    probes: ProbesConfig | None = None
    oauth: Mapping[str, OAuthProfileConfig] | None = None  # None: one of them is wrong by itself
    failures: Classes | None = None
    aliases: Mapping[str, AliasConfig] = field(default_factory=dict)  # the valid ones
    sets: Mapping[str, SetConfig] = field(default_factory=dict)
    accounts: Sequence[tuple[int, AccountConfig]] = ()
    client_keys: Sequence[tuple[int, ClientKeyConfig]] = ()
    names: Sequence[tuple[str, int, str]] = ()  # section, position, name: of invalid entries too


def find(parts: Parts) -> Iterator[Finding]:
    """Every broken rule."""
    if parts.server is not None:
        yield from _server(parts.server, bool(parts.client_keys))
    if parts.upstream is not None:
        yield from _plain_http(("upstream",), parts.upstream.base_url, parts.upstream.allow_http)
    if parts.queue is not None:
        yield from _queue(parts.queue)
    if parts.probes is not None:
        yield from _probes(parts.probes)
    if parts.oauth is not None:
        yield from profiles(parts.oauth)
        yield from unknown_profiles(parts.accounts, parts.oauth)
    yield from _failures(("failures",), parts.failures or {})
    for wrong_path, message, hint in names_problems(parts.aliases, parts.sets):
        yield Finding(path=wrong_path, message=message, hint=hint)
    yield from _unique(parts)
    yield from _one_login_each(parts)
    for index, key in parts.client_keys:
        yield from _client_key(("client_keys", index), key)
    for index, account in parts.accounts:
        yield from _account(("accounts", index), account, parts.upstream)


def doubts(account: AccountConfig) -> Iterator[str]:
    """What the rules allow and the owner of an account hardly meant, as whole sentences."""
    plan = (account.plan or "").lower()
    # The same marks as `core.account.Account.plan_weight`, and the plans without one.
    if plan and not any(mark in plan for mark in ("20x", "5x", "pro", "team", "enterprise")):
        yield f'plan "{account.plan}" is not known ({", ".join(PLANS)}): treated as {PLANS[0]}'


def _server(server: ServerConfig, has_keys: bool) -> Iterator[Finding]:
    if (server.tls_cert is None) != (server.tls_key is None):
        here, other = ("tls_cert", "tls_key") if server.tls_cert else ("tls_key", "tls_cert")
        yield Finding(path=("server", here), message=f"needs {other} beside it")
    if not has_keys and not is_loopback(server.host):
        message = "listens beyond this machine, where every caller needs a key, and there is none"
        yield Finding(path=("server", "host"), message=message, hint="maxpool keys add NAME")


def _probes(probes: ProbesConfig) -> Iterator[Finding]:
    if probes.gap_s < PROBE_GAP_MIN_S:
        message = "must be at least 5min: usage endpoints refuse who asks more often"
        yield Finding(path=("probes", "gap"), message=message)
    if probes.gap_max_s < probes.gap_s:
        yield Finding(path=("probes", "gap_max"), message="must not be shorter than gap")


def _queue(queue: QueueConfig) -> Iterator[Finding]:
    if queue.max_wait_allowed_s < queue.max_wait_s:
        message = "must not be shorter than max_wait: it is the longest wait a client may ask for"
        yield Finding(path=("queue", "max_wait_allowed"), message=message)


def _plain_http(path: Path, url: str, allowed: bool, key: str = "base_url") -> Iterator[Finding]:
    parts = urlsplit(url)
    if parts.scheme == "http" and not allowed and not is_loopback(parts.hostname or ""):
        yield Finding(
            path=(*path, key),
            message="would send the credential unencrypted over the network",
            hint="https://, or allow_http = true when that network is yours",
        )


def _unique(parts: Parts) -> Iterator[Finding]:
    seen: dict[tuple[str, str, str], int] = {}
    values = [(section, "name", index, name) for section, index, name in parts.names]
    values += [("accounts", "id", index, a.id) for index, a in parts.accounts if a.id is not None]
    for section, key, index, value in values:
        first = seen.setdefault((section, key, value), index)
        if first != index:
            message = f"is the same as that of entry {first + 1}; each needs its own"
            yield Finding(path=(section, index, key), message=message)


def _one_login_each(parts: Parts) -> Iterator[Finding]:
    """A login that two entries used would have one quota and be counted as two (claim S13).

    A provider's key may stand in several entries, each with models of its own.
    """
    shared = parts.upstream.base_url if parts.upstream is not None else ""
    seen: dict[tuple[str, str], int] = {}
    for index, account in parts.accounts:
        if account.secret is None or account.kind == "provider" or not account.enabled:
            continue
        first = seen.setdefault((account.secret, account.base_url or shared), index)
        if first != index:
            yield Finding(
                path=("accounts", index, "secret"),
                message=f"is the login of entry {first + 1} already; one login is one account",
                hint="the secret of another account; models, tiers and profiles need no second entry",
            )


def _client_key(path: Path, key: ClientKeyConfig) -> Iterator[Finding]:
    if (key.sha256 is None) == (key.key is None):
        both = key.sha256 is not None
        message = "needs one of sha256 and key, not both" if both else "needs sha256 or key"
        yield Finding(path=path, message=message, hint='key = "env:NAME"')


def _account(
    path: Path, account: AccountConfig, upstream: UpstreamConfig | None
) -> Iterator[Finding]:
    if account.base_url is not None:
        yield from _plain_http(path, account.base_url, account.allow_http)
        if ACCOUNT_ID in account.base_url and account.account_id is None:
            yield Finding(
                path=path,
                message=f"has {ACCOUNT_ID} in its base_url and says nowhere what that is",
                hint='account_id = "..."',
            )
    elif account.kind == "provider":
        yield Finding(
            path=path,
            message="is a provider and needs base_url, the address of its API",
            hint='base_url = "https://api.example.com"',
        )
    if account.auth_header == "none" and account.secret is not None:
        yield Finding(
            path=(*path, "auth_header"), message="is none, so the secret would never be sent"
        )
    if account.failures and account.kind != "provider":
        message = 'is for accounts of kind = "provider" only: what others say is known'
        yield Finding(path=(*path, "failures"), message=message)
    yield from _failures((*path, "failures"), account.failures)
    yield from _quota(path, account, upstream)
    yield from _names(path, account)
    yield from _format(path, account)
    yield from _serves(path, account, upstream)
    yield from _sign_in(path, account)


def _quota(
    path: Path, account: AccountConfig, upstream: UpstreamConfig | None
) -> Iterator[Finding]:
    """An account's bearer goes to its own origin and to no other."""
    if account.quota_url is None:
        if account.quota_map:
            yield Finding(path=(*path, "quota_map"), message="needs quota_url beside it")
        return
    if not {"used", "remaining"} & account.quota_map.keys():
        message = "needs quota_map, which says where in the answer the quota stands"
        hint = 'quota_map = { remaining = "data.balance" }'
        yield Finding(path=(*path, "quota_url"), message=message, hint=hint)
    base_url = account.base_url or (upstream.base_url if upstream is not None else None)
    here, there = urlsplit(base_url or account.quota_url), urlsplit(account.quota_url)
    if (here.scheme, here.netloc.lower()) != (there.scheme, there.netloc.lower()):
        message = "must be at the account's own origin: its credential goes nowhere else"
        yield Finding(path=(*path, "quota_url"), message=message)


def _failures(path: Path, given: Classes) -> Iterator[Finding]:
    for name, key, message in flaws(given):
        yield Finding(path=(*path, name, key), message=message)


def _sign_in(path: Path, account: AccountConfig) -> Iterator[Finding]:
    """What only accounts with a login of their own have, and what those cannot have."""
    if account.kind == "oauth" and account.oauth is None:
        yield Finding(
            path=path,
            message="is an OAuth login and needs oauth, the name of an [oauth.NAME] section",
        )
    if account.kind != "oauth" and account.oauth is not None:
        yield Finding(path=(*path, "oauth"), message='is for accounts of kind = "oauth" only')
    if account.kind in ("oauth", "home") and account.secret is not None:
        message = "has no meaning here: " + (
            "the tokens of an OAuth login change, and are kept by maxpool"
            if account.kind == "oauth"
            else "the login of a home stays with the client itself"
        )
        yield Finding(path=(*path, "secret"), message=message, hint="maxpool login NAME")
    if account.kind != "home" and account.config_dir is not None:
        yield Finding(path=(*path, "config_dir"), message='is for accounts of kind = "home" only')


def profiles(profiles: Mapping[str, OAuthProfileConfig]) -> Iterator[Finding]:
    """What does not fit together in the `[oauth.NAME]` sections."""
    for name, profile in profiles.items():
        path: Path = ("oauth", name)
        if profile.redirect == "paste" and profile.redirect_url is None:
            message = "needs redirect_url, the page at which the provider shows the code"
            yield Finding(path=(*path, "redirect"), message=message)
        for key in ("authorize_url", "token_url", "revoke_url", "usage_url", "profile_url"):
            url = getattr(profile, key)
            if url is not None:
                yield from _plain_http(path, url, profile.allow_http, key)


def unknown_profiles(
    accounts: Sequence[tuple[int, AccountConfig]], known: Collection[str]
) -> Iterator[Finding]:
    """Accounts that name an `[oauth.NAME]` section which is not there."""
    for index, account in accounts:
        if account.oauth is not None and account.oauth not in known:
            yield Finding(
                path=("accounts", index, "oauth"),
                message="names no [oauth.NAME] section of this file",
                hint=f"[oauth.{account.oauth}], or one of: {', '.join(known) or 'none is there'}",
            )


def _names(path: Path, account: AccountConfig) -> Iterator[Finding]:
    """Keys that would say two different things of one model or one header."""
    if account.model is not None and account.models:
        yield Finding(
            path=(*path, "model"),
            message="sends every request under one name, so models beside it has no meaning",
            hint=f'models = {{ "*" = "{account.model}" }}, or one of the two',
        )
    sent = {name.lower() for name in account.headers}
    if account.auth_header.lower() in sent:
        yield Finding(path=(*path, "headers"), message="sets the header that carries the secret")
    deadline = (account.deadline_header or "").lower()
    if deadline and deadline in {*sent, account.auth_header.lower()}:
        yield Finding(
            path=(*path, "deadline_header"), message="is a header that has another value already"
        )


def _format(path: Path, account: AccountConfig) -> Iterator[Finding]:
    """What only some formats have, and words that contradict each other."""
    if account.format == "anthropic":
        if account.body:
            yield Finding(
                path=(*path, "body"),
                message="is for services of another format: Anthropic's gets what the client sent",
            )
    elif account.kind != "provider" or account.provider == "anthropic":
        yield Finding(
            path=(*path, "format"),
            message="is not what Anthropic's own accounts speak",
            hint='kind = "provider", and the name of its provider',
        )
    both = set(account.lacks) & set(account.can)
    if both:
        yield Finding(path=(*path, "can"), message=f"and lacks both name {', '.join(sorted(both))}")


def _serves(
    path: Path, account: AccountConfig, upstream: UpstreamConfig | None
) -> Iterator[Finding]:
    if account.serves is not None and not account.serves:
        yield Finding(
            path=(*path, "serves"),
            message="is empty: the account would serve nobody",
            hint="enabled = false",
        )
        return
    if account.kind not in OF_CLAUDE_CODE or account.programs == frozenset({CLAUDE_CODE}):
        return
    base_url = account.base_url or (upstream.base_url if upstream is not None else None)
    # The simulated upstream's invented subscriptions may serve every program: no terms bind them.
    if base_url is not None and not is_loopback(urlsplit(base_url).hostname or ""):
        yield Finding(
            path=(*path, "serves"),
            message="of a subscription may only be claude-code: its terms allow no other program",
            hint='serves = ["claude-code"], and an api_key account for everything else',
        )

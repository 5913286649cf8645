"""Adding an account, or giving one a new login: config, vault and provider brought together.

The order never loses a login: the vault is open before anybody signs in, the credential is checked,
stored, and only then named in the config (`app/keep`). What is asked and shown is the command's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from shlex import quote
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from maxpool.adapters import claude
from maxpool.adapters.claude import INSTALL as INSTALL_CLAUDE
from maxpool.adapters.claude import find as find_claude
from maxpool.adapters.claude import run as run_claude
from maxpool.adapters.clock import SystemClock
from maxpool.adapters.lock import make_private_folder
from maxpool.adapters.oauth import HttpTokenEndpoint
from maxpool.adapters.process import local_utc_offset_s
from maxpool.adapters.secrets import ReferenceSecrets
from maxpool.adapters.terminal import (
    ask_hidden,
    ask_hidden_async,
    can_be_taken_back,
    is_interactive,
)
from maxpool.adapters.upstream import HttpUpstream
from maxpool.app import homes
from maxpool.app.signin import sign_in
from maxpool.app.vault import open_vault
from maxpool.config import derive, edit, environment
from maxpool.config.fields import is_loopback
from maxpool.config.homes import Home, default_dir
from maxpool.config.load import load, parse
from maxpool.config.model import Config
from maxpool.errors import ConfigError, ConfigProblem, MaxpoolError, SecretError
from maxpool.ports import Destination
from maxpool.service.origins import origin_of
from maxpool.service.pasted import PLAN_TOKEN
from maxpool.service.verifying import Finding, Refused, Verified, identify, verify
from maxpool.wire.credential import StoredCredential

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from maxpool.app.signin import Person, Ways
    from maxpool.config.account import AccountConfig
    from maxpool.config.oauth import OAuthProfileConfig
    from maxpool.ports import Secret, TokenPair, Vault


__all__ = [
    "INSTALL_CLAUDE",
    "Login",
    "Wish",
    "ask_hidden",
    "ask_hidden_async",
    "can_be_taken_back",
    "check",
    "dress_home",
    "endpoint",
    "find_claude",
    "home_folder",
    "is_interactive",
    "is_of_plan",
    "of_secret",
    "opened",
    "prepare",
    "run_claude",
    "sign_in_at_home",
    "sign_in_oauth",
    "terms_accepted",
    "today",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person asked for; None where nothing was said (an account that exists keeps its own)."""

    name: str
    kind: str | None = None
    profile: str | None = None
    plan: str | None = None
    base_url: str | None = None
    priority: int | None = None
    config_dir: Path | None = None
    keyless: bool = False
    format: str | None = None

    def keys(self) -> dict[str, object]:
        """The wish as keys of `[[accounts]]`."""
        return {
            "plan": self.plan,
            "base_url": self.base_url,
            "priority": self.priority,
            "oauth": self.profile,
            "config_dir": str(self.config_dir.absolute()) if self.config_dir else None,
            "auth_header": "none" if self.keyless else None,
            "format": self.format,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A login that can go ahead: the config is valid with it, and the vault (if needed) is open.

    `entry` is the account as it will be; `existing` as it is, None for a new one.
    """

    path: Path
    config: Config
    wish: Wish
    entry: AccountConfig
    existing: AccountConfig | None
    vault: Vault | None

    @property
    def destination(self) -> Destination:
        """Where the account's requests go."""
        entry = self.entry
        bearer = entry.kind == "oauth" and entry.auth_header == "auto"
        return Destination(
            base_url=derive.base_url(self.config, entry).rstrip("/").removesuffix("/v1"),
            auth_header="bearer" if bearer else entry.auth_header,
            headers=tuple(entry.headers.items()),
        )

    @property
    def profile(self) -> OAuthProfileConfig:
        """The `[oauth.NAME]` section to sign in with."""
        assert self.entry.oauth is not None
        return self.config.oauth[self.entry.oauth]


def prepare(wish: Wish, config_file: Path | None, *, patient: bool = False) -> Login:
    """Check all that can be checked before anybody signs in.

    `patient`: somebody is there who can unlock the keyring. Raises MaxpoolError (ConfigError for a wrong file or value) with what to do.
    """
    path = (config_file or environment.config_path()).absolute()
    config = load(path).config if path.exists() else Config()
    existing = next((e for e in config.accounts if e.name == wish.name), None)
    kind = wish.kind or (existing.kind if existing is not None else "subscription")
    if existing is not None and existing.kind != kind:
        raise MaxpoolError(
            f"{wish.name} is an account of kind {existing.kind} already, and this login is for {kind}",
            f"Take another name, or remove it first: maxpool accounts remove {wish.name}",
        )
    if wish.profile is not None and wish.profile not in config.oauth:
        raise _no_profile(path, wish.profile, config)
    entry = _tried(path, wish, kind, existing)
    needs_vault = kind != "home" and entry.auth_header != "none"
    vault = open_vault(config, patient=patient) if needs_vault else None
    return Login(path=path, config=config, wish=wish, entry=entry, existing=existing, vault=vault)


def _no_profile(path: Path, name: str, config: Config) -> ConfigError:
    known = ", ".join(f"[oauth.{one}]" for one in config.oauth)
    hint = f"there is {known}" if known else "it says where to sign in; config.example.toml has one"
    message = f"has no section [oauth.{name}]"
    return ConfigError([ConfigProblem(path=str(path), line=0, text="", message=message, hint=hint)])


def today() -> date:
    """The date here, for what is noted with a date."""
    now = SystemClock().now()
    return datetime.fromtimestamp(now + local_utc_offset_s(now), UTC).date()


def terms_accepted(config: Config, since: date) -> bool:
    """Whether the terms of subscriptions were accepted as they have been shown `since` then."""
    return any(e.terms_accepted is not None and e.terms_accepted >= since for e in config.accounts)


async def check(login: Login, secret: Secret | None) -> Finding:
    """Ask the account's own service whether it takes the secret; a refusal raises SecretError."""
    upstream = _upstream(login.config)
    try:
        found = await verify(upstream, login.destination, secret)
    finally:
        await upstream.aclose()
    return _unless_refused(found, login.destination.base_url)


async def sign_in_oauth(
    login: Login, person: Person, ways: Ways
) -> tuple[StoredCredential, Finding]:
    """Have the person sign in, and learn whose login it is."""
    upstream = _upstream(login.config)
    clock = SystemClock()
    try:
        pair = await sign_in(
            login.profile, endpoint(login.config, login.profile, upstream), clock, person, ways
        )
        if login.profile.profile_url is not None:
            found = await identify(upstream, login.profile.profile_url, pair.access_token)
        else:
            found = await verify(upstream, login.destination, pair.access_token)
        _unless_refused(found, login.profile.profile_url or login.destination.base_url)
    finally:
        await upstream.aclose()
    return _of_pair(login, pair, found, clock.now()), found


def of_secret(login: Login, secret: Secret, found: Finding) -> StoredCredential:
    """What the vault keeps of a key or a long-lived token."""
    return StoredCredential(
        secret=secret.reveal(),
        origin=origin_of(login.destination.base_url),
        granted_at=SystemClock().now(),
        organization_uuid=found.organization_uuid if isinstance(found, Verified) else None,
    )


def is_of_plan(login: Login, credential: StoredCredential) -> bool:
    """Whether a sign-in gave a subscription's token: its terms hold, whatever kind the account is."""
    host = urlsplit(login.destination.base_url).hostname or ""
    return PLAN_TOKEN in credential.secret and not is_loopback(host)


def endpoint(
    config: Config, profile: OAuthProfileConfig, upstream: HttpUpstream, folder: Path | None = None
) -> HttpTokenEndpoint:
    """The profile's token endpoint."""
    reference = profile.client_secret
    source = ReferenceSecrets(folder=folder)
    return HttpTokenEndpoint(
        profile=profile,
        upstream=upstream,
        connect_timeout_s=config.refresh.connect_timeout_s,
        read_timeout_s=config.refresh.read_timeout_s,
        client_secret=(lambda: source.resolve(reference)) if reference is not None else None,
    )


# -- a home: the official client keeps its own login there --------------------------------------


def home_folder(login: Login) -> Path:
    """The private folder of a home account, made when it is missing (mode 0700).

    Raises MaxpoolError when another home lives there: one login would be two accounts.
    """
    folder = _home_of(login.config, login.entry, login.existing or login.entry)
    for other in login.config.accounts:
        if other.name == login.entry.name or other.kind != "home":
            continue
        if _home_of(login.config, other, other).resolve() == folder.resolve():
            raise MaxpoolError(
                f"{folder} is the home of {other.name} already; one login is one account",
                "Leave --config-dir out, or name another folder",
            )
    make_private_folder(folder)
    if not any(folder.iterdir()):
        folder.chmod(0o700)
    return folder


def dress_home(login: Login, folder: Path) -> str | None:
    """Put the status line into a home of ours; what to do by hand where that is not ours to do."""
    by_hand = f"To learn its quota: maxpool statusline install --config-dir {quote(str(folder))}"
    if login.entry.config_dir is not None:
        return by_hand
    try:
        homes.install_statusline(folder)
    except MaxpoolError as error:
        return f"{error.message}. {by_hand}"
    return None


def sign_in_at_home(program: str, folder: Path) -> None:
    """Have the person sign in in the official client; raises MaxpoolError when nobody did."""
    known = claude.knows_sign_in(program, folder)
    arguments = ["auth", "login"] if known is not None else []
    claude.run(program, arguments, {"CLAUDE_CONFIG_DIR": str(folder)})
    known = claude.knows_sign_in(program, folder)
    if known is None:
        known = Home(id="", name="", config_dir=folder).signed_in
    if known:
        return
    raise MaxpoolError(f"nobody is signed in in {folder}", "Run it again and sign in there")


# -- parts ---------------------------------------------------------------------------------------


def _home_of(config: Config, entry: AccountConfig, identified: AccountConfig) -> Path:
    return entry.config_dir or default_dir(derive.state_folder(config), identified.stable_id)


def _tried(path: Path, wish: Wish, kind: str, existing: AccountConfig | None) -> AccountConfig:
    """The entry as it will be, read from the file as it will be."""
    text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    keys = {key: value for key, value in wish.keys().items() if value is not None}
    try:
        if existing is None:
            after = edit.add_entry(text, "accounts", {"name": wish.name, "kind": kind, **keys})
        else:
            after = edit.set_entry(
                text, "accounts", wish.name, {"secret": None, **opened(existing, wish), **keys}
            )
        config = parse(after, path)
    except ConfigError as error:
        raise ConfigError([_of_command(problem) for problem in error.problems]) from None
    return next(e for e in config.accounts if e.name == wish.name)


def opened(existing: AccountConfig, wish: Wish) -> dict[str, object]:
    """What a new login undoes: no key, and being disabled."""
    undone: dict[str, object] = {}
    if existing.auth_header == "none" and not wish.keyless:
        undone["auth_header"] = None
    if not existing.enabled:
        undone["enabled"] = None
    return undone


def _of_command(problem: ConfigProblem) -> ConfigProblem:
    return ConfigProblem(
        path="command line", line=0, text="", message=problem.message, hint=problem.hint
    )


def _upstream(config: Config) -> HttpUpstream:
    ca_file = config.upstream.ca_file
    return HttpUpstream(ca_file=str(ca_file) if ca_file is not None else None)


def _unless_refused(found: Finding, where: str) -> Finding:
    if isinstance(found, Refused):
        raise SecretError(
            f"{where} does not take this credential, so it was not stored ({found.why})",
            "Check that it is whole and still valid, then log in again",
        )
    return found


def _of_pair(login: Login, pair: TokenPair, found: Finding, now: float) -> StoredCredential:
    verified = found if isinstance(found, Verified) else Verified()
    refresh = pair.refresh_token
    return StoredCredential(
        secret=pair.access_token.reveal(),
        origin=origin_of(login.destination.base_url),
        refresh_token=refresh.reveal() if refresh is not None else None,
        expires_at=now + pair.expires_in_s if pair.expires_in_s is not None else None,
        granted_at=now,
        scopes=pair.scopes or login.profile.scopes,
        profile=login.entry.oauth,
        issuer=origin_of(login.profile.token_url),
        account_uuid=verified.account_uuid,
        organization_uuid=verified.organization_uuid,
    )

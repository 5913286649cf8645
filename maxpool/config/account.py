"""One `[[accounts]]` and one `[[client_keys]]` entry of the config file.

What a person writes about an account. `derive` turns it into the core's `Account`; `checks` looks
at what depends on more than one key. No secret is ever held here, only where it is to be found.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from maxpool.config.failures import FailureConfig, FailureName
from maxpool.config.fields import (
    AuthHeader,
    BaseUrl,
    Count,
    Day,
    Duration,
    DurationOrZero,
    EventName,
    FilePath,
    HeaderName,
    HeaderText,
    HeaderValue,
    KeyReference,
    ModelName,
    Name,
    Names,
    Plan,
    SecretReference,
    Section,
    Sha256,
    Share,
    Window,
    Word,
    wrong,
)
from maxpool.config.identity import unwritten_id
from maxpool.config.limits import PerMinute, Rates, Usd, UsdOrZero
from maxpool.config.names import Tier
from maxpool.config.quota import quota_lines
from maxpool.core.needs import WORDS
from maxpool.wire.chat_options import problem as option_problem

EVERY_PROGRAM: Final = "*"
CLAUDE_CODE: Final = "claude-code"
ACCOUNT_ID: Final = "{account_id}"
"""What stands in a `base_url` that several accounts share, where each has an id of its own."""
OF_CLAUDE_CODE: Final = frozenset({"subscription", "home"})
"""Kinds that only Claude Code itself may use, unless an entry says otherwise."""


def _kind(value: object) -> object:
    if value == "client":
        raise wrong(
            "is client, which is no account of the file: such logins come with the requests",
            '[pool] client_login = "first"',
        )
    return value


def _format(value: object) -> object:
    if value == "openai-responses":
        raise wrong(
            "is openai-responses, which maxpool speaks to clients and not to services",
            'format = "openai-chat", which services with that API speak, too',
        )
    return value


def _words(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in WORDS:
            raise wrong(f"holds a word that says nothing; known are {', '.join(WORDS)}")
    return names


def _body(options: Mapping[str, object]) -> Mapping[str, object]:
    for name, value in options.items():
        told = option_problem(name, value)
        if told is not None:
            raise wrong(f"{name} {told}")
    return options


Needs = Annotated[Names, AfterValidator(_words)]
"""Words of `core/needs`."""


class AccountConfig(Section):
    """One account: who it is, where it is reached, what its owner decided about it."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] | None = None
    name: Name
    kind: Annotated[
        Literal["api_key", "subscription", "oauth", "home", "provider"], BeforeValidator(_kind)
    ] = "api_key"
    provider: Name | None = None
    plan: Plan | None = None
    secret: SecretReference | None = None
    oauth: Name | None = None
    config_dir: FilePath | None = None
    terms_accepted: Day | None = None
    base_url: BaseUrl | None = None
    account_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")] | None = None
    allow_http: bool = False
    format: Annotated[Literal["anthropic", "openai-chat", "generate"], BeforeValidator(_format)] = (
        "anthropic"
    )
    body: Annotated[Mapping[Word, bool | int | float | str], AfterValidator(_body)] = {}
    model: ModelName | None = None
    models: Mapping[Word, Word] = {}
    tiers: Mapping[Tier, ModelName] = {}
    context: Mapping[Word, Count] = {}
    lacks: Needs = ()
    can: Needs = ()
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = 0
    enabled: bool = True
    tier: Annotated[int, Field(ge=0)] = 0
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    caps: Mapping[Window, Share] = {}
    reserve: Mapping[Window, Share] = {}
    emergency: bool = False
    serves: Names | None = None
    profiles: Names | None = None
    slots: Annotated[int, Field(ge=1)] | None = None
    probes: bool = True
    auth_header: AuthHeader = "auto"
    headers: Mapping[HeaderText, HeaderValue] = {}
    strip_beta_headers: Names = ()
    deadline_header: HeaderText | None = None
    idempotency_header: HeaderText | None = None
    failures: Mapping[FailureName, FailureConfig] = {}
    cost_header: HeaderName | None = None
    cost_event: EventName | None = None
    strip_events: Annotated[tuple[EventName, ...], Field(strict=False)] = ()
    rpm: PerMinute | None = None
    tpm: PerMinute | None = None
    limits: Rates = ()
    balance_usd: UsdOrZero | None = None
    minimum_balance_usd: UsdOrZero = 0.0
    daily_budget_usd: Usd | None = None
    session_budget_usd: Usd | None = None
    quota_url: BaseUrl | None = None
    quota_method: Literal["GET", "POST"] = "GET"
    quota_map: Annotated[Mapping[Word, Word], AfterValidator(quota_lines)] = {}
    quota_every_s: Duration = 300.0
    quota_enforce: Literal["gate", "observe"] = "gate"

    @property
    def stable_id(self) -> str:
        """The `id` written in the file, else one that stays the same while name and kind do."""
        if self.id is not None:
            return self.id
        return unwritten_id(self.kind, self.name)

    @property
    def programs(self) -> frozenset[str] | None:
        """The programs served, None for every program.

        A subscription serves Claude Code only: the provider's terms (README, "Accounts and terms").
        A home serves nobody here: its client talks to the provider by itself.
        """
        if self.serves is None:
            return frozenset({CLAUDE_CODE}) if self.kind in OF_CLAUDE_CODE else None
        return None if EVERY_PROGRAM in self.serves else frozenset(self.serves)


class ClientKeyConfig(Section):
    """A key that clients of this server may show: its hash, or where the key is found, and its limits.

    `expires`: the last day it opens anything, in UTC.
    """

    name: Name
    sha256: Sha256 | None = None
    key: KeyReference | None = None
    priority: Annotated[int, Field(ge=0, le=100)] = 0
    models: Names = ()
    profile: Word | None = None
    requests: Count | None = None
    rpm: PerMinute | None = None
    tpm: PerMinute | None = None
    limits: Rates = ()
    daily_budget_usd: Usd | None = None
    max_wait_s: DurationOrZero | None = None
    expires: Day | None = None

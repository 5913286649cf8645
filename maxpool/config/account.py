"""One `[[accounts]]` and one `[[client_keys]]` entry of the config file.

What a person writes about an account. `derive` turns it into the core's `Account`; `checks` looks
at what depends on more than one key. No secret is ever held here, only where it is to be found.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from maxpool.config.fields import (
    AuthHeader,
    BaseUrl,
    Count,
    Day,
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

EVERY_PROGRAM: Final = "*"
CLAUDE_CODE: Final = "claude-code"
OF_CLAUDE_CODE: Final = frozenset({"subscription", "home"})
"""Kinds that only Claude Code itself may use, unless an entry says otherwise."""

_LATER_FORMATS: Final = frozenset({"openai-chat", "openai-responses"})


def _kind(value: object) -> object:
    if value == "client":
        raise wrong(
            "is client, which is no account of the file: such logins come with the requests",
            '[pool] client_login = "first"',
        )
    return value


def _format(value: object) -> object:
    if isinstance(value, str) and value in _LATER_FORMATS:
        raise wrong(
            f"is {value}, which this version does not speak yet",
            'only "anthropic" is served now',
        )
    return value


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
    allow_http: bool = False
    format: Annotated[Literal["anthropic"], BeforeValidator(_format)] = "anthropic"
    model: ModelName | None = None
    models: Mapping[Word, Word] = {}
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
    cost_header: HeaderName | None = None
    cost_event: EventName | None = None
    strip_events: Annotated[tuple[EventName, ...], Field(strict=False)] = ()

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
    max_wait_s: DurationOrZero | None = None
    expires: Day | None = None

"""What the services need from the outside world, and the values they exchange.

The adapters and the simulated world both satisfy these protocols; nothing here does anything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from maxpool.core.values import value

if TYPE_CHECKING:
    from maxpool.core.records import (
        EventRecord,
        LedgerQuery,
        ReadingRecord,
        RequestFilter,
        RequestRecord,
        Row,
        UsageLine,
    )
    from maxpool.wire.verdict_provider import Failures

RawHeaders = Sequence[tuple[bytes, bytes]]
"""Header fields in wire order, names and values as bytes, duplicates kept."""


class Secret:
    """A credential that does not print itself: only its last four characters show."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself; call it where it is sent, nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret(...{self._value[-4:]})" if len(self._value) >= 12 else "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class Clock(Protocol):
    """The one source of time."""

    def now(self) -> float:
        """Epoch seconds, UTC: for deadlines of the outside world and across restarts."""
        ...

    def elapsed(self) -> float:
        """Seconds since some moment, unmoved by steps of the wall clock: for pauses of our own."""
        ...

    def sleep(self, seconds: float) -> Awaitable[None]:
        """Return after `seconds`."""
        ...


class Chance(Protocol):
    """The one source of randomness outside the simulated world."""

    def jitter(self, low: float, high: float) -> float:
        """A number evenly drawn from [low, high]."""
        ...

    def token(self) -> str:
        """A fresh random identifier, 24 hex digits."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where an account's requests go and how its credential is sent.

    `base_url`: origin plus optional path prefix, no trailing slash. `auth_header`: `auto` (told by
    the secret's prefix), `bearer`, `x-api-key`, `none` or any header's name. `headers`: static
    extras. `strip_beta_headers`: `anthropic-beta` values that this origin does not take.
    `deadline_header` takes the milliseconds left. `cost_header` and `cost_event` say what an answer
    cost, in USD. `strip_events`: events that are no part of the answer and stay here.
    `idempotency_header` takes what stays the same over all tries. `failures`: how errors are read, where
    they are another vendor's.
    """

    base_url: str
    format: str = "anthropic"
    body: Mapping[str, object] = field(default_factory=dict)
    auth_header: str = "auto"
    headers: tuple[tuple[str, str], ...] = ()
    strip_beta_headers: frozenset[str] = frozenset()
    deadline_header: str | None = None
    idempotency_header: str | None = None
    cost_header: str | None = None
    cost_event: str | None = None
    strip_events: frozenset[str] = frozenset()
    failures: Failures | None = None


@value(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as it goes upstream; timeouts in seconds."""

    method: str
    url: str
    headers: RawHeaders = field(repr=False)
    body: bytes = field(repr=False)
    connect_timeout_s: float
    header_timeout_s: float
    idle_timeout_s: float


class ByteStream(Protocol):
    """A response body: raw bytes as they arrive (still content-encoded)."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Chunks; raises `errors.StreamCut` when the body ends before it is complete."""
        ...

    async def aclose(self) -> None:
        """Give the connection back, or drop it when the body was not read to its end. Idempotent."""
        ...


@value(frozen=True, slots=True, kw_only=True)
class Reply:
    """An upstream's answer: headers are there, the body is still to come."""

    status: int
    headers: RawHeaders
    stream: ByteStream


@value(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """No response headers came; `sent` is False only when surely no byte of the request was processed."""

    kind: Literal["refused", "dns", "tls", "reset", "timeout", "protocol", "proxy"]
    detail: str
    sent: bool


class Upstream(Protocol):
    """The HTTP client of the data path. Never follows redirects, never adds headers but framing."""

    async def send(self, call: Call) -> Reply | Unreachable:
        """Send one request and return when response headers are there, or why they are not."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


class SavedState(Protocol):
    """What the last run saved, to be read once. Blocking: call it from a worker thread."""

    def load(self) -> dict[str, Any] | None:
        """The last snapshot, or None; a broken one is set aside first (see `set_aside`)."""
        ...

    def put_aside(self, word: str) -> str:
        """Move the file to a name that says why (`word`) and begin a new one; returns that name."""
        ...

    @property
    def set_aside(self) -> str | None:
        """Where a broken state file was put at start, if one was."""
        ...


class StateStore(SavedState, Protocol):
    """Where the pool's snapshot rests between runs: read at the start, written while it runs."""

    def save(self, snapshot: Mapping[str, Any]) -> None:
        """Write atomically; raises `errors.StateError` when that failed and nothing changed."""
        ...

    def close(self) -> None:
        """Flush and close."""
        ...


class SecretSource(Protocol):
    """Resolves an account's secret. Blocking for `file:` and `command:`: call it from a thread."""

    def resolve(self, reference: str) -> Secret:
        """The secret behind `env:NAME`, `file:PATH` or `command:...`; raises `errors.SecretError`."""
        ...


class Vault(Protocol):
    """Where credentials rest: one text per account id. Blocking, but never longer than its own limit.

    Every method raises `errors.SecretError` when the vault cannot be used now (locked, gone, stuck,
    wrong key); a missing entry is no error.
    """

    @property
    def place(self) -> str:
        """Where entries are kept, for people: "the OS keyring (GNOME Keyring)", a file's path."""
        ...

    def get(self, name: str) -> Secret | None:
        """The entry, None when there is none."""
        ...

    def put(self, name: str, value: Secret) -> None:
        """Write an entry; it is durable when this returns, and the old one holds when it raises."""
        ...

    def delete(self, name: str) -> None:
        """Remove an entry; nothing happens when there is none."""
        ...


class Held(Protocol):
    """A credential's refresh lock while it is held by this task."""

    def release(self) -> None:
        """Give it up. Idempotent; it also ends with the process."""
        ...


class RefreshLocks(Protocol):
    """One refresh per credential at a time, over every process (and, elsewhere, machine) that may.

    Blocking: call it from a worker thread.
    """

    def acquire(self, account_id: str, timeout_s: float) -> Held | None:
        """The lock, or None when somebody else still has it after `timeout_s`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A refresh that was begun and of whose end nothing is known: its token may be used up."""

    account_id: str
    fingerprint: str
    at: float


class RefreshJournal(Protocol):
    """What must be known of refreshes after a crash. Each call is durable when it returns; blocking.

    Holds no token: fingerprints, and whole SHA-256 digests of dead ones. Raises `errors.StateError`.
    """

    def begin(self, account_id: str, fingerprint: str, at: float) -> None:
        """A refresh token is about to be sent."""
        ...

    def end(self, account_id: str) -> None:
        """The answer is stored, or surely nothing was processed."""
        ...

    def begun(self) -> tuple[Begun, ...]:
        """Every refresh without an end."""
        ...

    def bury(self, account_id: str, token_digest: str, reason: str, at: float) -> None:
        """Remember a refresh token as dead, by its SHA-256 in hex."""
        ...

    def dead(self, token_digest: str, since: float | None = None) -> str | None:
        """Why that token is dead, None when it is not known to be, or was buried before `since` only."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """What a token endpoint gave. `expires_in_s` None when it did not say."""

    access_token: Secret
    refresh_token: Secret | None
    expires_in_s: float | None
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The token endpoint refused for good (RFC 6749 section 5.2): `error` is its code."""

    error: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retryable:
    """Surely nothing was processed: refused, DNS, connect timeout, 429 or 5xx."""

    detail: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguous:
    """The request may have been processed and its answer is lost: never to be sent again."""

    detail: str


TokenResult = TokenPair | Rejected | Retryable | Ambiguous


class HomeFiles(Protocol):
    """What the server and the status lines of this machine leave for each other. Blocking."""

    def usage(self) -> Mapping[str, bytes]:
        """By account id, what homes told of their quota since the last look; as it was written."""
        ...

    def show(self, glance: Mapping[str, Any]) -> None:
        """Leave the numbers that status lines show; best effort."""
        ...

    def hide(self) -> None:
        """The server ends: take them away."""
        ...


class TokenEndpoint(Protocol):
    """An OAuth profile's token endpoint, and what else it tells of a login."""

    async def exchange(
        self, code: Secret, *, verifier: Secret, redirect_uri: str, state: str
    ) -> TokenResult:
        """Exchange an authorization code (RFC 6749 section 4.1.3, RFC 7636 section 4.5)."""
        ...

    async def refresh(self, refresh_token: Secret, scopes: Sequence[str]) -> TokenResult:
        """Exchange a refresh token, once: nothing here sends it a second time."""
        ...

    async def revoke(self, token: Secret) -> bool:
        """End the login at the provider; False when it has no such endpoint or did not answer well."""
        ...


class Ledger(Protocol):
    """What happened, for later. Never blocks, never fails."""

    def record(self, row: Row) -> None:
        """Take in a row."""
        ...


class LedgerReader(Protocol):
    """Questions to the ledger. Blocking: call it from a worker thread; raises `errors.StateError`."""

    def usage(self, query: LedgerQuery) -> list[UsageLine]:
        """Sums."""
        ...

    def requests(self, wanted: RequestFilter) -> list[tuple[int, RequestRecord]]:
        """Requests with their numbers, newest first."""
        ...

    def request(self, request_id: str) -> RequestRecord | None:
        """One request."""
        ...

    def readings(
        self, since: float, *, account: str | None = None, window: str | None = None
    ) -> list[ReadingRecord]:
        """Quota readings, oldest first."""
        ...

    def events(self, since: float, limit: int = 1000) -> list[EventRecord]:
        """Events, newest first."""
        ...

    def names(self) -> dict[str, str]:
        """Account names by id, removed ones too."""
        ...

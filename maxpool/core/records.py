"""What the ledger keeps (requests, readings of windows, events) and what is asked of it. Values only.

Tuples, because one is made for every request and written as a row as it is. No prompt, no answer, no
credential is ever part of one; sessions are digests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class RequestRecord(NamedTuple):
    """One ended request. Times are epoch seconds, spans milliseconds, tokens as in `TokenUsage`.

    `at`: when it ended. `account`: the id of the one that answered, or that failed last, "" where none was
    asked. `sent_model`: under which name it was asked. `status`: what the caller got, 0 where it left
    before an answer. `failed`: its caller got an error, be it as the end of a stream that began with 200.
    `outcome`: the class of the last try's outcome, or of the refusal. `cost_usd`: told by the upstream
    (`cost_told`), else estimated, None where nobody knows. `decision`: the cost terms of the choice, as
    JSON. `device`: "" for what went through this server, else who reported it.
    """

    request_id: str
    at: float
    account: str
    model: str
    sent_model: str
    client: str
    session: str
    program: str
    format: str
    kind: str
    status: int
    failed: bool
    outcome: str
    attempts: int
    streamed: bool
    tokens_in: int
    tokens_out: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    cost_usd: float | None
    cost_told: bool
    total_ms: float
    ttfb_ms: float | None
    waited_ms: float
    overhead_ms: float
    skipped: str
    decision: str
    device: str = ""


class ReadingRecord(NamedTuple):
    """One account's window at a time: utilization 0..1, `reset_at` epoch seconds or None."""

    account: str
    window: str
    at: float
    utilization: float
    reset_at: float | None
    source: str


class EventRecord(NamedTuple):
    """Something worth telling a person: `detail` is JSON text."""

    at: float
    kind: str
    account: str
    detail: str


class AccountRecord(NamedTuple):
    """What an account is called now: rows outlive accounts, and names change."""

    account: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Until when rows are kept: older ones (epoch seconds) go. Sums by the hour stay for good.

    `now`: from which the age of readings is counted; of old ones fewer are kept.
    """

    requests_from: float
    readings_from: float
    now: float


Row = RequestRecord | ReadingRecord | EventRecord | AccountRecord


def _utc(_at: float) -> int:
    return 0


# -- questions ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLine:
    """Sums of some requests; `key` names them. Tokens as in `TokenUsage`, cost in USD.

    `name`: what an account that is the key is called. `unpriced`: answers whose cost nobody knows. The rest is told of sessions only.
    """

    key: str
    requests: int
    failed: int
    tokens_in: int
    tokens_out: int
    cache_read: int
    cache_write: int
    unpriced: int
    cost_usd: float
    total_ms: float
    first_at: float | None = None
    last_at: float | None = None
    account: str = ""
    model: str = ""
    name: str = ""

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.tokens_in + self.tokens_out + self.cache_read + self.cache_write


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerQuery:
    """Which requests to sum up, and by what. Times epoch seconds, `account` an id.

    `offset_s`: seconds east of UTC at a moment, for days as people have them.
    """

    by: Literal["hour", "day", "week", "month", "account", "model", "client", "device", "session"]
    since: float | None = None
    until: float | None = None
    account: str | None = None
    model: str | None = None
    client: str | None = None
    device: str | None = None
    limit: int = 1000
    offset_s: Callable[[float], int] = _utc


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFilter:
    """Which requests to list; `status`: `failed`, `ok`, `gone` or a code. `before` and `after` are numbers
    of requests, as listed.
    """

    account: str | None = None
    model: str | None = None
    client: str | None = None
    session: str | None = None
    status: str | None = None
    since: float | None = None
    until: float | None = None
    before: int | None = None
    after: int | None = None
    limit: int = 100

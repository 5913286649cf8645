"""What goes into the pool and what comes out: requests, leases, waits, refusals, outcomes.

Values only: no behaviour beyond what a value knows about itself. These names are the core's public
contract, so positional and keyword construction both work.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal

from maxpool.core.rejected import ContextExceeded, NotCarried, PolicyRefused
from maxpool.core.rejected import RequestRejected as RequestRejected
from maxpool.core.routes import Part, Route  # noqa: TC001 - hints of values are read at run time
from maxpool.core.values import value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.decisions import Decision
    from maxpool.core.eligibility import Reason


@value(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one answer; the five kinds never overlap.

    `cost_usd`: what the upstream itself says that the answer cost, None where it says nothing.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cost_usd: float | None = None

    @property
    def prefix(self) -> int:
        """All tokens the model read: what the account's prompt cache may now hold."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h

    @property
    def any(self) -> bool:
        """Whether any token was counted."""
        return self.prefix + self.output > 0


@value(frozen=True, slots=True)
class OwnLogin:
    """The login that a request brought along.

    `account_id`: the account that stands for it, "" where none could be kept; `spill`: the kinds of
    account that may help out.
    """

    account_id: str
    spill: frozenset[str] = frozenset()


@value(frozen=True, slots=True)
class LeaseRequest:
    """Everything the pool may know of a request.

    Token counts are estimates, times epoch seconds. `owner` is the id of the account a batch or
    file belongs to, or (`owner_chosen`) that the caller wants and no other; `needs` are capabilities (`images`, `tools`, `thinking`); `prefix_digest`
    names tools + system so that sessions sharing them can share a cache. `home`: no request of its
    own, but the question in which home account a client should start. `own`: the client's own login.
    `route`: what `model` stands for, None = itself; `part`: of that, what is being weighed (the pool's).
    """

    model: str
    session: str | None = None
    agent: str | None = None
    input_tokens: int = 0
    max_output_tokens: int | None = None
    stream: bool = True
    format: str = "anthropic"
    needs: frozenset[str] = frozenset()
    signed_thinking: bool = False
    cache_ttl_s: float = 300
    prefix_digest: str | None = None
    program: str | None = None
    client_key: str | None = None
    profile: str | None = None
    priority: int = 0
    arrived_at: float | None = None
    max_wait_s: float | None = None
    owner: str | None = None
    owner_chosen: bool = False
    home: bool = False
    own: OwnLogin | None = None
    spends: bool = True  # False: it only counts tokens
    budget_key: str | None = None  # the client key, where it has limits of its own (`core/budget`)
    beyond: frozenset[tuple[int, int | None]] = frozenset()  # see `core/contextsize`
    route: Route | None = None
    part: Part | None = None
    native: bool = False  # no account that speaks another API can take it


@value(frozen=True, slots=True)
class Lease:
    """The right to send one request to one account; released exactly once.

    `model`: what the account is asked for, which a route may have chosen.
    """

    id: str
    account_id: str
    model: str
    started_at: float
    decision: Decision


@value(frozen=True, slots=True)
class Ticket:
    """A waiter's place in the queue; passing it back to `acquire` keeps the place."""

    id: int
    queued_at: float


@value(frozen=True, slots=True)
class Wait:
    """Nothing can serve now, something will; `until` is None when only an event can tell."""

    until: float | None
    reason: Reason
    ticket: Ticket


@value(frozen=True, slots=True)
class Refusal:
    """Nothing can serve within the request's patience; `retry_at` is the soonest real recovery.

    `counts`: how many accounts were unavailable for each reason.
    """

    reason: Reason
    retry_at: float | None
    detail: str
    counts: Mapping[str, int] = field(default_factory=dict)


# -- outcomes: one class per row of the outcome table ------------------------------------------


@value(frozen=True, slots=True)
class Success:
    """The account answered."""

    usage: TokenUsage = field(default_factory=TokenUsage)


@value(frozen=True, slots=True)
class QuotaExceeded:
    """A verdict on a whole window (`5h`, `7d`); `until` is its reset, None when unsaid.

    `relative` (here and below): `until` is reckoned from a wait that was asked for, not a time told.
    """

    window: str
    until: float | None = None
    relative: bool = False


@value(frozen=True, slots=True)
class FamilyQuotaExceeded:
    """A verdict on one model family's window."""

    family: str
    until: float | None = None
    relative: bool = False


@value(frozen=True, slots=True)
class RateLimited:
    """A standard rate bucket is empty until its reset."""

    until: float | None = None
    relative: bool = False


@value(frozen=True, slots=True)
class SpendLimited:
    """The organisation's spend limit is reached."""

    until: float | None = None


@value(frozen=True, slots=True)
class Burst:
    """A 429 without evidence of quota."""

    retry_after_s: float | None = None
    fingerprint: str = "429"


@value(frozen=True, slots=True)
class Overloaded:
    """The upstream has no capacity for this model (529, `overloaded_error`)."""

    model: str
    fingerprint: str = "529"


@value(frozen=True, slots=True)
class TransientFailure:
    """A server-side failure that may pass (5xx, 408, 409)."""

    status: int


@value(frozen=True, slots=True)
class AuthRejected:
    """401: the bearer was not accepted."""


@value(frozen=True, slots=True)
class AuthFinal:
    """The login is over (revoked, not a member, OAuth not allowed); `reason` is the code or text."""

    reason: str = ""


@value(frozen=True, slots=True)
class Forbidden:
    """403 for no reason we know."""


@value(frozen=True, slots=True)
class AccountClosed:
    """The organisation is disabled or on hold."""

    reason: str = ""


@value(frozen=True, slots=True)
class BillingFailure:
    """402, or the credit balance is too low."""


@value(frozen=True, slots=True)
class ModelMissing:
    """This account does not offer that model."""

    model: str


@value(frozen=True, slots=True)
class NetworkFailure:
    """No answer: `refused`, `dns`, `tls`, `reset` or `timeout`; `sent` = bytes may have arrived."""

    kind: str = "reset"
    sent: bool = True


@value(frozen=True, slots=True)
class Garbage:
    """A 200 that is no answer: `html`, `empty`, `json`, `error`, `truncated` or `no_event`."""

    kind: str


@value(frozen=True, slots=True)
class Cut:
    """The answer ended after content and before its end."""

    usage: TokenUsage = field(default_factory=TokenUsage)


@value(frozen=True, slots=True)
class ClientGone:
    """The client left; nobody's fault."""

    usage: TokenUsage = field(default_factory=TokenUsage)


@value(frozen=True, slots=True)
class Internal:
    """Our own exception; never changes an account's state."""


Outcome = (
    Success
    | QuotaExceeded
    | FamilyQuotaExceeded
    | RateLimited
    | SpendLimited
    | Burst
    | Overloaded
    | TransientFailure
    | AuthRejected
    | AuthFinal
    | Forbidden
    | AccountClosed
    | BillingFailure
    | ModelMissing
    | RequestRejected
    | ContextExceeded
    | PolicyRefused
    | NotCarried
    | NetworkFailure
    | Garbage
    | Cut
    | ClientGone
    | Internal
)


# -- what else reaches the pool ----------------------------------------------------------------


@value(frozen=True, slots=True)
class Reading:
    """One window's numbers as a source told them; every field but `window` may be unknown.

    `utilization` 0..1 (may exceed 1), `reset_at` epoch seconds, `status` the window's own verdict
    (`allowed`, `allowed_warning`, `rejected`).
    """

    window: str
    utilization: float | None = None
    reset_at: float | None = None
    status: str | None = None


@value(frozen=True, slots=True)
class BucketReading:
    """A standard rate-limit family: `requests`, `tokens`, `input-tokens`, `output-tokens`, ..."""

    name: str
    limit: float | None = None
    remaining: float | None = None
    reset_at: float | None = None
    relative: bool = False  # an empty one whose reset was told as a wait


@value(frozen=True, slots=True)
class UsageReport:
    """Readings that came by themselves: the usage endpoint's answer (see `core/ratelimit_usage`), or
    (`statusline`) what a home's client shows its user, which is no probe.
    """

    readings: tuple[Reading, ...]
    source: Literal["probe", "statusline"] = "probe"


@value(frozen=True, slots=True)
class ProbeFailure:
    """A usage probe failed: that means unknown, never full and never free."""

    kind: str
    retry_after_s: float | None = None


@value(frozen=True, slots=True)
class CredentialChange:
    """What happened to an account's credential; times as in `core/state.Credential`.

    `expires`: this is what it is. `stalled`: a refresh failed and may be tried again at `until`.
    `ending`: it serves until it expires, and is not refreshed any more. `dead`: it serves no more.
    """

    kind: Literal["expires", "refreshed", "stalled", "ending", "dead", "logged_in"]
    expires_at: float | None = None
    reason: str = ""
    granted_at: float | None = None
    grant_expires_at: float | None = None
    until: float = 0.0


@value(frozen=True, slots=True)
class Command:
    """What a person asks of the pool; `account_id` where the action names an account."""

    action: Literal[
        "prefer",
        "automatic",
        "enable",
        "disable",
        "drain",
        "reset",
        "pause",
        "resume",
        "move_session",
    ]
    account_id: str | None = None
    session: str | None = None


@value(frozen=True, slots=True)
class Due:
    """One piece of work whose time has come; `account_id` None when it is the pool's own."""

    kind: Literal["probe", "refresh", "save", "prewarm"]
    account_id: str | None
    at: float

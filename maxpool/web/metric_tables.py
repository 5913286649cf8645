"""What `/metrics` tells of accounts, windows, the pool and its requests, as tables: name, kind, words, value.

A table is data: how it is put into lines is not decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from maxpool.web.report import READY_STATES

if TYPE_CHECKING:
    from collections.abc import Callable

    from maxpool.core.tally import Counts
    from maxpool.core.view import AccountView
    from maxpool.web.exposition import Kind

Number = float | None


class Of(NamedTuple):
    """One metric of some thing: its name behind `maxpool_`, and how the thing tells it."""

    name: str
    kind: Kind
    about: str
    tell: Callable[[Any], Number]


def _balance(a: AccountView) -> Number:
    return None if a.purse.wallet is None else a.purse.wallet.balance_usd


ACCOUNT: Final = (
    Of(
        "account_ready",
        "gauge",
        "1 where the account can serve now.",
        lambda a: a.state in READY_STATES,
    ),
    Of(
        "account_in_flight", "gauge", "Requests that the account serves now.", lambda a: a.in_flight
    ),
    Of("account_slots", "gauge", "Requests that it may serve at once.", lambda a: a.slots),
    Of(
        "account_soft_limit",
        "gauge",
        "Requests above which others are preferred.",
        lambda a: a.soft_limit,
    ),
    Of("account_sessions", "gauge", "Sessions whose home it is.", lambda a: a.sessions),
    Of(
        "account_failures_in_a_row",
        "gauge",
        "Failures since its last success.",
        lambda a: a.failures,
    ),
    Of("account_calls_total", "counter", "Calls that went to it.", lambda a: a.total.requests),
    Of("account_calls_failed_total", "counter", "Of these, failed.", lambda a: a.total.failed),
    Of(
        "account_cost_usd_total",
        "counter",
        "What they cost, told or by list prices.",
        lambda a: a.total.cost_usd,
    ),
    Of("account_balance_usd", "gauge", "What is left of its prepaid balance.", _balance),
    Of(
        "account_latency_p50_seconds",
        "gauge",
        "Median time of its calls, last hour.",
        lambda a: None if a.p50_ms is None else a.p50_ms / 1000.0,
    ),
    Of(
        "account_token_expires_seconds",
        "gauge",
        "When its token ends.",
        lambda a: a.credential.expires_at,
    ),
    Of(
        "account_grant_expires_seconds",
        "gauge",
        "When only a new login helps.",
        lambda a: a.credential.grant_expires_at,
    ),
)

WINDOW: Final = (
    Of(
        "window_utilization_ratio",
        "gauge",
        "Used share of a quota window.",
        lambda w: w.utilization,
    ),
    Of("window_reset_seconds", "gauge", "When it begins anew.", lambda w: w.reset_at),
    Of(
        "window_burn_ratio_per_hour",
        "gauge",
        "Share used per hour, last hour.",
        lambda w: w.burn_per_hour,
    ),
    Of(
        "window_projected_ratio",
        "gauge",
        "Used share at its reset, at this pace.",
        lambda w: w.projected_at_reset,
    ),
)

TOKENS: Final[tuple[tuple[str, Callable[[Counts], int]], ...]] = (
    ("input", lambda c: c.tokens_in),
    ("output", lambda c: c.tokens_out),
    ("cache_read", lambda c: c.cache_read),
    ("cache_write", lambda c: c.cache_write),
)

POOL: Final = (
    Of("start_time_seconds", "gauge", "When the server started.", lambda v: v.started_at),
    Of("requests_in_flight", "gauge", "Requests that are served now.", lambda v: v.in_flight),
    Of("queue_length", "gauge", "Requests that wait for an account.", lambda v: len(v.waiters)),
    Of(
        "queue_oldest_seconds",
        "gauge",
        "How long the first of them waits.",
        lambda v: max((w.waiting_s for w in v.waiters), default=0.0),
    ),
    Of("paused", "gauge", "1 while admission is paused by hand.", lambda v: v.paused),
    Of("sessions", "gauge", "Sessions that have a home.", lambda v: v.sessions_bound),
    Of("moves_total", "counter", "Sessions that changed their account.", lambda v: v.moves),
    Of(
        "cache_tokens_lost_total",
        "counter",
        "Warm prompt tokens left behind by that.",
        lambda v: v.cache_tokens_lost,
    ),
    Of(
        "throttles_total",
        "counter",
        "Pauses because an upstream as a whole said so.",
        lambda v: v.throttle_count,
    ),
    Of("throttles_open", "gauge", "Of these, open now.", lambda v: len(v.pauses)),
)

STATS: Final = (
    Of(
        "answered_total",
        "counter",
        "Requests answered, also those refused at the door.",
        lambda s: s.requests,
    ),
    Of("sends_total", "counter", "Calls sent to upstreams.", lambda s: s.sends),
    Of("failovers_total", "counter", "Accounts given up for another one.", lambda s: s.failovers),
    Of(
        "client_gone_total",
        "counter",
        "Callers who left before their answer ended.",
        lambda s: s.client_gone,
    ),
    Of(
        "held_seconds_total",
        "counter",
        "Time that requests stood in the queue.",
        lambda s: s.held_s,
    ),
    Of(
        "internal_errors_total",
        "counter",
        "Failures of maxpool itself.",
        lambda s: s.internal_errors,
    ),
)

JOBS: Final[tuple[tuple[str, str, str, Kind, str], ...]] = (
    (
        "faults",
        "tasks",
        "task_failures_total",
        "counter",
        "Background tasks of maxpool that failed.",
    ),
    ("refresh", "refreshes", "refreshes_total", "counter", "Logins that got new tokens."),
    ("refresh", "failures", "refresh_failures_total", "counter", "Refreshes that failed."),
    ("probes", "asked", "probes_total", "counter", "Times that a usage endpoint was asked."),
    ("probes", "failed", "probe_failures_total", "counter", "Of these, failed."),
    ("save", "saves", "saves_total", "counter", "Times that the state was saved."),
    ("save", "failures", "save_failures_total", "counter", "Times that it could not be."),
    ("ledger", "written", "ledger_rows_written_total", "counter", "Rows in the ledger."),
    ("ledger", "lost", "ledger_rows_lost_total", "counter", "Rows that found no place in it."),
    ("ledger", "waiting", "ledger_rows_waiting", "gauge", "Rows not yet written."),
)
"""Part and field of the status document's `jobs`, and what it is called here."""

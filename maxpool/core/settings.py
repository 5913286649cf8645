"""`PoolSettings`: every limit of the pool, with unit, default and reason, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from maxpool.core.prices_table import NO_PRICES, PriceTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.ratebuckets import Rule

DAY_S = 86_400.0


def _window_lengths() -> Mapping[str, float]:
    return {"5h": 5 * 3600.0, "7d": 7 * DAY_S}


def _model_prices() -> Mapping[str, float]:
    # What a token of a family weighs in quota, relative to Sonnet's; what it costs in USD is another
    # question (`price_table`), and changes with every model.
    return {"opus": 5 / 3, "sonnet": 1.0, "haiku": 1 / 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """Settings of the pool. Seconds, shares 0..1, tokens and counts as the names say."""

    # What the pool knows of quota
    window_lengths: Mapping[str, float] = field(default_factory=_window_lengths)
    full_at: float = 0.999  # the only utilization that closes a window without a verdict
    reset_jitter_s: float = 60.0  # reset stamps this close name the same window
    max_families: int = 16  # windows per account: bounds the map against invented names
    max_buckets: int = 16
    reading_lag_s: float = 60.0  # a lower reading of the same window is an older one for this long
    probe_lag_s: float = 600.0  # the usage endpoint lags further behind
    learn_step_5h: float = 0.10  # readings this far apart teach what a token fills: rounding is .01
    learn_step_7d: float = 0.04
    learn_keep: float = 0.7  # of what was learned before, at each new lesson
    outside_factor: float = 1.5  # a rise beyond this much of our own is somebody else's
    outside_doubts: int = 3  # contradictions in a row before the learned value itself is doubted

    # Slots: 50 protects a plan's hidden concurrency limit; keys have their own rate headers
    slots_per_account: int = 50
    slots_per_key: int = 500
    slots_total: int = 150  # leases on plan accounts, over all of them

    # Choice (see core/strategy and core/cost)
    strategy: str = "cost"
    quota_steepness: float = 1.5
    quota_clip: float = 6.0
    congestion_weight: float = 2.0
    warm_bonus: float = 50.0
    move_price: float = 0.0  # instead of the bonus: the re-writing of what is warm, times this
    home_bonus: float = 10.0  # brings a session back: more than a recovery and one failure
    warm_share: float = 0.3  # a smaller warm prefix is not worth staying for
    parent_bonus: float = 1.0  # a sub-agent's system prefix may be warm where its parent is
    recovery_weight: float = 4.0
    recovery_s: float = 300.0
    recovery_step_s: float = 1.0  # an account that came back takes one lease more per step
    failure_weight: float = 5.0
    outgrow_weight: float = 12.0
    opening_bonus: float = 2.0  # for an account whose 5h window does not run yet
    opened_bonus: float = 0.5  # for one whose money or long limit is in use: before another's
    outgrow_window_s: float = 600.0  # sessions seen on an account this recently will grow there
    max_recent_sessions: int = 64  # per account
    revisit_bonus: float = 1.0  # back to where a prefix was, past its believed life: it may teach
    home_wait_s: float = (
        0.0  # a session waits this long for its warm, crowded account: gained nothing
    )
    home_wait_gap: float = 8.0  # when any other would be dearer by more than this
    max_prefixes: int = 1000  # system prefixes shared by sessions
    max_prefix_accounts: int = 8  # that hold one
    kept_decisions: int = 1000
    unknown_utilization: float = 0.5
    soft_slots: float = 12.0  # L of a 20x plan
    soft_slots_exponent: float = 0.4
    soft_slots_min: float = 2.0
    soft_slots_regrow_s: float = 600.0  # +1 per this long after a halving
    model_prices: Mapping[str, float] = field(default_factory=_model_prices)
    expected_output_tokens: float = 700.0  # until answers have been seen
    output_price: float = 5.0  # output tokens cost five times input tokens
    cache_read_price: float = 0.1
    cache_write_price_5m: float = 1.25
    cache_write_price_1h: float = 2.0
    key_price: Literal["never", "after", "always"] = "after"
    key_price_after_s: float = 20.0
    cross_provider: Literal["never", "when-exhausted", "always"] = "when-exhausted"
    cross_after_s: float = 20.0  # nobody of its own vendor is back sooner: another's serves
    when_all_cooling: Literal["wait", "earliest", "refuse"] = "wait"
    kept_latencies: int = 2000  # targets whose last answers are remembered, about 1 KB each
    emergency_after_s: float = 60.0  # a reserve opens when nobody else is back within this time

    # Benches and cooldowns
    provisional_s: float = 10.0
    provisional_max_s: float = 30.0
    retry_after_min_s: float = 1.0
    retry_after_max_s: float = DAY_S
    quota_without_reset_s: float = 60.0
    breaker_threshold: int = 3  # failures in a row
    breaker_initial_s: float = 30.0
    breaker_max_s: float = 900.0
    forbidden_initial_s: float = 300.0
    forbidden_max_s: float = 3600.0
    spend_initial_s: float = 3600.0
    spend_max_s: float = DAY_S
    billing_s: float = 900.0
    model_missing_s: float = 3600.0
    network_s: float = 5.0
    provider_quota_s: float = 30.0  # other vendors seldom name a reset, and mean minutes
    provider_forbidden_s: float = 1800.0
    provider_breaker_max_s: float = 300.0  # the last of 30, 60, 120, 240, 300
    max_model_benches: int = 64  # per account
    topup_retry_s: float = 30.0  # a provider may learn late that money was added: tried once more

    # Limits of the owner's own, and what models cost (see core/budget)
    limits: tuple[Rule, ...] = ()
    price_table: PriceTable = field(default=NO_PRICES, compare=False)
    max_rate_buckets: int = 10_000  # of models and client keys: callers choose names freely

    # Upstream-wide throttle
    incident_window_s: float = 30.0
    throttle_default_s: float = 30.0
    throttle_reopen_s: tuple[float, ...] = (5.0, 10.0, 20.0)  # then one last probe, and it closes
    throttle_probe_s: float = 15.0  # a probe without an answer holds the others for this long
    throttle_ramp_s: float = 5.0  # after a pause requests go one by one for this long
    throttle_ramp_gap_s: float = 0.25  # so far apart: a blow of all at once would be refused again
    max_sightings: int = 64

    # Sessions
    max_bindings: int = 10_000
    binding_age_s: float = 7 * DAY_S
    max_warm_per_session: int = 4

    # Batches, files, containers and threads, by id; about 60 bytes each in memory and on disk
    max_owned: int = 10_000
    owned_age_s: float = 90 * DAY_S  # unseen for longer: asked for anew. Batches last 29 days

    # Queue
    queue_limit: int = 64
    queue_max_wait_s: float = 900.0
    queue_grace_s: float = 1.0  # a waiter that lets its chance pass this long has left
    queue_aging_s: float = 15.0  # waiting this long counts as one step of urgency: nobody starves
    queue_quantum_tokens: float = 30_000.0  # about one usual turn: how uneven turns may be
    client_keys: int = 0  # configured: where there are several, none may take more than half

    # Work that is due
    save_gap_s: float = 1.0
    probe_gap_s: float = 600.0
    probe_gap_max_s: float = 3600.0  # after refusals the gap doubles, up to this
    probe_lane_s: float = 30.0  # one account at a time in the whole pool, so far apart
    probe_lead_s: float = 60.0  # so long before a bench ends its account is asked for
    probe_jitter: float = 0.1  # of the gap, added: accounts do not keep step
    probe_refusals: int = 3  # of the credential in a row: then not before the next login
    refresh_ahead_s: float = 600.0

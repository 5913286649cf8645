"""`Cost`: what it costs to send a request to an account, as named terms and their sum.

The lowest sum among eligible accounts wins (after priority and tier). Every term is explained where
it is computed; their sizes were measured in simulation and are settings.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from maxpool.core.family import family_of

if TYPE_CHECKING:
    from maxpool.core.binding import Warmth
    from maxpool.core.lease import LeaseRequest, TokenUsage
    from maxpool.core.settings import PoolSettings
    from maxpool.core.state import AccountState

LONG_CACHE_S = 3600.0


class Cost(NamedTuple):
    """Named terms; lower is better."""

    quota: float = 0.0
    congestion: float = 0.0
    warm: float = 0.0
    parent: float = 0.0
    recovery: float = 0.0
    failures: float = 0.0

    @property
    def total(self) -> float:
        """The sum that decides."""
        return (
            self.quota + self.congestion + self.warm + self.parent + self.recovery + self.failures
        )


class Candidate(NamedTuple):
    """An account that was weighed, with its terms."""

    account_id: str
    cost: Cost


@dataclass(frozen=True, slots=True)
class Decision:
    """Why an account was chosen: its cost, and the best of those it was weighed against.

    `rebind`: None (stayed or first turn), `need` (its home could not serve) or `choice`.
    """

    strategy: str
    account_id: str
    cost: Cost
    candidates: tuple[Candidate, ...] = ()
    rebind: str | None = None
    waited_s: float = 0.0


@dataclass(slots=True)
class Prices:
    """What requests weigh, in price-weighted tokens (one Sonnet input token = 1).

    Learns the usual answer length per model family and the mean weight of a request; both bounded.
    """

    settings: PoolSettings
    outputs: OrderedDict[str, float] = field(default_factory=OrderedDict)
    mean: float = 0.0
    seen: int = 0

    def model(self, model: str) -> float:
        """The model's price relative to Sonnet's; 1 for a model nobody listed."""
        return self.settings.model_prices.get(family_of(model), 1.0)

    def expected_output(self, request: LeaseRequest) -> float:
        """Tokens the answer will probably have."""
        usual = self.outputs.get(family_of(request.model), self.settings.expected_output_tokens)
        limit = request.max_output_tokens
        return usual if limit is None else min(usual, float(limit))

    def weight(self, request: LeaseRequest, cached_tokens: float) -> float:
        """m * (0.1 * cached + w * (prefix - cached) + 5 * expected output)."""
        s = self.settings
        cached = min(cached_tokens, float(request.input_tokens))
        write = (
            s.cache_write_price_1h
            if request.cache_ttl_s >= LONG_CACHE_S
            else s.cache_write_price_5m
        )
        return self.model(request.model) * (
            s.cache_read_price * cached
            + write * (request.input_tokens - cached)
            + s.output_price * self.expected_output(request)
        )

    def relative(self, weight: float) -> float:
        """`weight` against the running mean of all requests (1 while none was seen)."""
        return weight / self.mean if self.mean > 0 else 1.0

    def learn_weight(self, weight: float) -> None:
        """Count a granted request into the mean: plain at first, then with a rate of .002."""
        self.seen += 1
        self.mean += (weight - self.mean) * max(1.0 / self.seen, 0.002)

    def learn_output(self, model: str, usage: TokenUsage) -> None:
        """Count an answer's length into its family's mean."""
        if usage.output <= 0:
            return
        family = family_of(model)
        old = self.outputs.pop(family, self.settings.expected_output_tokens)
        self.outputs[family] = old + (usage.output - old) * 0.05
        if len(self.outputs) > 64:
            self.outputs.popitem(last=False)


def weekly_price(
    state: AccountState, now: float, unknown_utilization: float, settings: PoolSettings
) -> float:
    """p7 = exp(3 * (tau - (1 - u7))): low near a reset with quota left, dear after early overuse.

    tau is the share of the week still to come. An account that never told its week counts as
    `unknown_utilization` used, half way through.
    """
    window = state.quota.windows.get("7d")
    used = None if window is None else window.utilization_at(now)
    left = None if window is None else window.left_share(now)
    if used is None:
        used = unknown_utilization
    if left is None:
        left = 0.5
    exponent = settings.quota_steepness * (left - (1.0 - used))
    return math.exp(min(max(exponent, -settings.quota_clip), settings.quota_clip))


@dataclass(slots=True)
class Weigher:
    """Weighs one request against accounts: holds what is the same for all of them."""

    request: LeaseRequest
    now: float
    prices: Prices
    warm: dict[str, Warmth]
    parent_id: str | None
    home_id: str | None = None
    cold_weight: float = 0.0
    home_is_warm: bool = False

    def __post_init__(self) -> None:
        at_home = self.warm.get(self.home_id) if self.home_id is not None else None
        self.home_is_warm = at_home is not None and at_home.until > self.now
        self.cold_weight = self.prices.relative(self.prices.weight(self.request, 0.0))

    def cost(self, state: AccountState, unknown_utilization: float) -> Cost:
        """All terms for one account."""
        s, now = self.prices.settings, self.now
        weight, bonus = self.cold_weight, 0.0
        if self.warm:
            warmth = self.warm.get(state.account.id)
            if warmth is not None and warmth.until > now:
                weight, bonus = self._warm(warmth, state.account.id)
        limit = state.soft_limit(now, s)
        load = state.in_flight / limit
        parent = 0.0
        if self.parent_id == state.account.id and state.in_flight < limit:
            parent = -s.parent_bonus
        return Cost(
            quota=weekly_price(state, now, unknown_utilization, s) * weight,
            congestion=s.congestion_weight * load * load,
            warm=bonus,
            parent=parent,
            recovery=s.recovery_weight * state.recovering(now, s),
            failures=s.failure_weight * state.health.failures,
        )

    def _warm(self, warmth: Warmth, account_id: str) -> tuple[float, float]:
        prices, s = self.prices, self.prices.settings
        size = self.request.input_tokens
        cached = min(warmth.tokens, size)
        weight = prices.relative(prices.weight(self.request, cached))
        # Where a size is unknown, the request is taken to extend what is warm.
        if min(size, warmth.tokens) > 0 and cached / size <= s.warm_share:
            return weight, 0.0
        # A session that is a guest here, by need, goes back to its home while that is warm.
        guest = self.home_is_warm and account_id != self.home_id
        return weight, s.home_bonus - s.warm_bonus if guest else -s.warm_bonus

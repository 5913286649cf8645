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
    from collections.abc import Mapping, Sequence

    from maxpool.core.binding import Warmth
    from maxpool.core.demand import Demand
    from maxpool.core.lanes import Lane
    from maxpool.core.lease import LeaseRequest, TokenUsage
    from maxpool.core.prefixes import Prefix
    from maxpool.core.quota import Look
    from maxpool.core.settings import PoolSettings
    from maxpool.core.slope import Yardstick
    from maxpool.core.state import AccountState

LONG_CACHE_S = 3600.0
WEEK_S = 7 * 86_400.0
SESSION_RATE = 0.01
"""Of older sessions forgotten in the mean with each new one."""


class Cost(NamedTuple):
    """Named terms; lower is better."""

    quota: float = 0.0
    congestion: float = 0.0
    outgrow: float = 0.0
    opening: float = 0.0
    warm: float = 0.0
    parent: float = 0.0
    prefix: float = 0.0
    recovery: float = 0.0
    failures: float = 0.0

    @property
    def total(self) -> float:
        """The sum that decides."""
        return sum(self)


class Candidate(NamedTuple):
    """An account that was weighed, with its terms."""

    account_id: str
    cost: Cost


@dataclass(slots=True)
class Prices:
    """What requests weigh, in price-weighted tokens (one Sonnet input token = 1).

    Learns the usual answer length per model family, the mean weight of a request, and what a
    session costs in all; bounded.
    """

    settings: PoolSettings
    outputs: OrderedDict[str, float] = field(default_factory=OrderedDict)
    mean: float = 0.0
    seen: int = 0
    session_work: float = 0.0
    session_count: float = 0.0

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
        return self.model(request.model) * (
            s.cache_read_price * cached
            + self.write_price(request) * (request.input_tokens - cached)
            + s.output_price * self.expected_output(request)
        )

    def write_price(self, request: LeaseRequest) -> float:
        """Price of writing a token into the cache the request asks for."""
        s, long = self.settings, request.cache_ttl_s >= LONG_CACHE_S
        return s.cache_write_price_1h if long else s.cache_write_price_5m

    def rewrite(self, request: LeaseRequest, tokens: float) -> float:
        """What it costs to write so many tokens again instead of reading them."""
        dearer = self.write_price(request) - self.settings.cache_read_price
        return self.model(request.model) * dearer * tokens

    def burned(self, model: str, usage: TokenUsage) -> float:
        """What an answer really weighed."""
        s = self.settings
        return self.model(model) * (
            usage.input
            + s.cache_read_price * usage.cache_read
            + s.cache_write_price_5m * usage.cache_write_5m
            + s.cache_write_price_1h * usage.cache_write_1h
            + s.output_price * usage.output
        )

    @property
    def session_mean(self) -> float:
        """What a session costs in all, as far as seen; 0 while none was."""
        return self.session_work / self.session_count if self.session_count > 0.0 else 0.0

    def session_begun(self) -> None:
        """Another session: the mean is that of about the last hundred."""
        keep = 1.0 - SESSION_RATE
        self.session_work *= keep
        self.session_count = self.session_count * keep + 1.0

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


class Week(NamedTuple):
    """How an account's week enters its price: the exponent is `order + shift`, clipped.

    `order` holds as time passes; `shift` is alike for all accounts of the same `form` and plan:
    `running` (between now and its reset), `linear` (a week of another length), `ahead` (its reset is
    a whole week off or more), `unphased` (no reset known). `used` is None when nobody told it; then
    the median of the plan counts.
    """

    form: str
    order: float
    used: float | None


UNKNOWN_WEEK = Week("unphased", 0.0, None)


def week_of(look: Look, now: float, demand: Demand) -> Week:
    """The account's week at `now`."""
    if not look.known:
        return UNKNOWN_WEEK
    used, reset_at = look.used, look.reset_at
    known = 0.0 if used is None else used
    if reset_at is None:
        return Week("unphased", known, used)
    if now < reset_at - look.length_s:
        return Week("ahead", known, used)
    if look.length_s != WEEK_S:
        return Week("linear", known + reset_at / look.length_s, used)
    return Week("running", known + demand.at(reset_at), used)


def reckon(
    state: AccountState,
    now: float,
    demand: Demand,
    yardstick: Yardstick,
    settings: PoolSettings,
    *,
    changes: bool = True,
) -> Look:
    """Set what of the account's quota enters its cost: it holds until the account's next change."""
    weight = state.account.plan_weight
    look = state.quota.look(now, settings, yardstick, weight, changes=changes)
    short = state.quota.windows.get("5h")
    state.shut = short is not None and short.expired(now)
    state.week = week_of(look, now, demand)
    # The room is shared among the sessions that grow here.
    state.left = look.room
    if look.room != math.inf:
        state.left = look.room / (0.5 + 0.5 * state.growing(now, settings))
    return look


@dataclass(slots=True)
class Weeks:
    """What turns a week's order into its price at one time.

    p7 = exp(steepness * (tau - (1 - u7))), tau the share of a usual week's demand between now and
    the reset: low near a reset with quota left, dear after early overuse.
    """

    demand: Demand
    settings: PoolSettings
    now: float
    passed: float

    def shift(self, form: str, median: float, length_s: float = WEEK_S) -> float:
        """What is added to the order; `median` is 0 where the use is known."""
        if form == "running":
            return median - 1.0 - self.passed
        if form == "linear":
            return median - 1.0 - self.now / length_s
        return median if form == "ahead" else median - 0.5

    def price(self, exponent: float) -> float:
        """p7 of order + shift."""
        s = self.settings
        scaled = s.quota_steepness * exponent
        return math.exp(min(max(scaled, -s.quota_clip), s.quota_clip))

    def of(self, state: AccountState, median: float) -> float:
        """p7 of one account; `median`: what an unknown use counts as."""
        week = state.week
        window = state.quota.windows.get("7d")
        length_s = WEEK_S if window is None else window.length_s
        unknown = median if week.used is None else 0.0
        return self.price(week.order + self.shift(week.form, unknown, length_s))


def outgrow(room: float, session_mean: float, most: float) -> float:
    """The barrier against putting a session where it outgrows what is left.

    `room`: quota left before a window closes, per session that grows there (see `AccountState.room`).
    """
    if session_mean <= 0.0 or room == math.inf:
        return 0.0
    return most * math.exp(-max(room, 0.0) / session_mean)


def _opening(state: AccountState, now: float, settings: PoolSettings) -> float:
    """A 5h window that does not run is worth opening; money in use comes before another's."""
    if state.shut:
        return -settings.opening_bonus
    used = state.purse is not None and state.purse.opened(now)
    return -settings.opened_bonus if used else 0.0


class Behind(NamedTuple):
    """Accounts of a lane that stood behind the weighed ones; `shift` makes prices of their orders."""

    lane: Lane
    shift: float
    entries: Sequence[tuple[float, int, str, float]]


class Terms(NamedTuple):
    """What makes the cost of any account in a lane from its entry, for one request."""

    weeks: Weeks
    weight: float
    session_mean: float
    skip: frozenset[str]

    def cost(self, lane: Lane, shift: float, order: float, room: float) -> Cost:
        """All terms of an account in the lane."""
        return Cost(
            quota=self.weeks.price(order + shift) * self.weight,
            congestion=lane.congestion,
            outgrow=outgrow(room, self.session_mean, self.weeks.settings.outgrow_weight),
            opening=lane.opening,
            failures=lane.failures,
        )

    def rest(self, behind: Behind) -> list[tuple[tuple[object, ...], Candidate]]:
        """Rank and candidate of accounts that were not weighed when the choice was made."""
        lane, shift, entries = behind
        found = (
            Candidate(account_id, self.cost(lane, shift, order, room))
            for order, _, account_id, room in entries
            if account_id not in self.skip
        )
        return [((lane.before, (one.cost.total,)), one) for one in found]


@dataclass(slots=True)
class Weigher:
    """Weighs one request against accounts: holds what is the same for all of them."""

    request: LeaseRequest
    weeks: Weeks
    prices: Prices
    warm: Mapping[str, Warmth]
    parent_id: str | None = None
    home_id: str | None = None
    prefix: Prefix | None = None
    cold_weight: float = 0.0
    home_is_warm: bool = False
    works: dict[str, float] = field(default_factory=dict)  # by account, where some of it is cached
    cold_work: float = 0.0
    now: float = 0.0  # epoch seconds

    def __post_init__(self) -> None:
        self.now = self.weeks.now
        at_home = self.warm.get(self.home_id) if self.home_id is not None else None
        self.home_is_warm = at_home is not None and at_home.until > self.now
        self.cold_work = self.prices.weight(self.request, 0.0)
        self.cold_weight = self.prices.relative(self.cold_work)

    def work(self, account_id: str) -> float:
        """What the request will weigh on an account that was weighed, in price-weighted tokens."""
        return self.works.get(account_id, self.cold_work)

    def cost(self, state: AccountState, median: float) -> Cost:
        """All terms for one account; `median`: what an unknown weekly use counts as."""
        s, now, account_id = self.prices.settings, self.now, state.account.id
        weight, bonus, cached = self.cold_weight, 0.0, 0.0
        warmth = self.warm.get(account_id) if self.warm else None
        if warmth is not None:
            weight, bonus, cached = self._warm(warmth, account_id)
        price = self.weeks.of(state, median)
        limit = state.soft_limit(now, s)
        load = state.in_flight / limit
        parent = 0.0
        if self.parent_id == account_id and state.in_flight < limit:
            parent = -s.parent_bonus
        return Cost(
            quota=price * weight,
            congestion=s.congestion_weight * load * load,
            outgrow=outgrow(state.left, self.prices.session_mean, s.outgrow_weight),
            opening=_opening(state, now, s),
            warm=bonus,
            parent=parent,
            prefix=-price * self._shared(account_id, cached),
            recovery=s.recovery_weight * state.recovering(now, s),
            failures=s.failure_weight * state.health.failures,
        )

    def _shared(self, account_id: str, cached: float) -> float:
        """What other sessions' cached system prefix saves there, relative to a mean request."""
        if self.prefix is None:
            return 0.0
        tokens = self.prefix.shared(account_id, self.now)
        tokens = min(tokens, float(self.request.input_tokens)) - cached
        if tokens <= 0.0:
            return 0.0
        return self.prices.relative(self.prices.rewrite(self.request, tokens))

    def _warm(self, warmth: Warmth, account_id: str) -> tuple[float, float, float]:
        """Weight, bonus and cached tokens where some of the session's prefix was cached."""
        prices, s = self.prices, self.prices.settings
        size = self.request.input_tokens
        cached = min(warmth.tokens, size)
        # Where a size is unknown, the request is taken to extend what is warm.
        little = min(size, warmth.tokens) > 0 and cached / size <= s.warm_share
        if warmth.until <= self.now:
            at_home = warmth.proven and account_id == self.home_id
            return self.cold_weight, 0.0 if little or not at_home else -s.revisit_bonus, 0.0
        self.works[account_id] = work = prices.weight(self.request, cached)
        weight = prices.relative(work)
        if little:
            return weight, 0.0, float(cached)
        bonus = s.warm_bonus
        if s.move_price > 0.0:
            bonus = s.move_price * prices.relative(prices.rewrite(self.request, cached))
        # A session that is a guest here, by need, goes back to its home while that is warm.
        guest = self.home_is_warm and account_id != self.home_id
        return weight, min(s.home_bonus - bonus, 0.0) if guest else -bonus, float(cached)

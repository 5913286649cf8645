"""The truth about the upstream in a simulated run: hidden quotas, limits, incidents, prompt caches.

The pool never sees any of it but through answers: a status, `unified` headers rounded to 0.01, and the
tokens that were read from the cache. Times are epoch seconds. Knows no policy and no events: `run`
says who sends what, when, to which account.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple

from maxpool.core.settings import PoolSettings
from maxpool.sim import families as f
from maxpool.sim.bundles import model_price

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from maxpool.sim.scenario import HiddenAccount, Scenario, SessionPlan, Span, Turn

UNIFIED: Final = "anthropic-ratelimit-unified-"
OK, QUOTA, UNAVAILABLE, OVERLOADED, NO_CONNECTION = 200, 429, 503, 529, 0

NO_HEADERS: Final[Mapping[str, str]] = {}
BURST_HEADERS: Final[Mapping[str, str]] = {"retry-after": str(f.BURST_RETRY_AFTER_S)}
_PRICES: Final = PoolSettings()
_READ: Final = _PRICES.cache_read_price
_OUTPUT: Final = _PRICES.output_price


class Sent(NamedTuple):
    """What came of a send: its status, and if it was admitted what was cached and what it burned.

    `headers` are those of a refusal; an answer's depend on when it begins.
    """

    status: int
    cached: int = 0
    work: float = 0.0
    headers: Mapping[str, str] = NO_HEADERS


BURST: Final = Sent(429, headers=BURST_HEADERS)
FAILED: Final = Sent(UNAVAILABLE)
STORM: Final = Sent(OVERLOADED)
UNREACHED: Final = Sent(NO_CONNECTION)


class Spans:
    """Spans of time in order, to ask which one, if any, a time lies in."""

    __slots__ = ("ends", "starts")

    def __init__(self, spans: Iterable[Span], origin: float) -> None:
        ordered = sorted(spans)
        self.starts = [origin + start for start, _ in ordered]
        self.ends = [origin + end for _, end in ordered]

    def at(self, now: float) -> int | None:
        """The number of the span that `now` lies in."""
        number = bisect_right(self.starts, now) - 1
        return number if number >= 0 and now < self.ends[number] else None


class Stake:
    """One session as the upstream sees it: what it shares, and what its tokens weigh."""

    __slots__ = ("digest", "life_s", "number", "price", "system", "write")

    def __init__(self, number: int, plan: SessionPlan, cache_life_s: float | None) -> None:
        self.number = number
        self.digest = plan.digest
        self.system = plan.system
        self.price = model_price(plan.model)
        long = plan.ttl_s >= f.TTL_LONG_S
        self.write = _PRICES.cache_write_price_1h if long else _PRICES.cache_write_price_5m
        self.life_s = plan.ttl_s if cache_life_s is None else cache_life_s

    def work(self, turn: Turn, cached: int) -> float:
        """What a turn weighs when so much of its prefix is read from the cache."""
        written = turn.prefix + turn.new - cached
        return self.price * (_READ * cached + self.write * written + _OUTPUT * turn.output)


class Caches:
    """The prompt caches of one account: sessions' own prefixes, and system prefixes they share."""

    __slots__ = ("own", "shared")

    def __init__(self) -> None:
        self.own: dict[int, tuple[int, float]] = {}  # session: (tokens, until)
        self.shared: dict[str, tuple[float, float]] = {}  # digest: (since, until)

    def warm(self, who: Stake, now: float) -> bool:
        """Whether the session's own prefix is still there."""
        own = self.own.get(who.number)
        return own is not None and own[1] > now

    def system(self, who: Stake, now: float) -> int:
        """How much of the shared beginning can be read."""
        shared = self.shared.get(who.digest)
        return who.system if shared is not None and shared[0] <= now < shared[1] else 0

    def read(self, who: Stake, turn: Turn, now: float) -> int:
        """How much of a turn's prefix can be read."""
        own = self.own.get(who.number)
        if own is not None and own[1] > now:
            return min(own[0], turn.reusable)
        return min(self.system(who, now), turn.reusable)

    def write(self, who: Stake, turn: Turn, now: float) -> None:
        """A turn is sent: all it reads and writes lives anew."""
        until = now + who.life_s
        self.own[who.number] = (turn.prefix + turn.new, until)
        self.share(who, now)

    def share(self, who: Stake, now: float) -> None:
        """The same for the shared beginning alone."""
        shared = self.shared.get(who.digest)
        # What is being written can be read as soon as its first answer begins.
        since = shared[0] if shared is not None and shared[1] > now else now + f.ANSWER_S
        self.shared[who.digest] = (since, now + who.life_s)


class Upstream:
    """One account as it really is.

    The 5h window opens with the first request after the last one ended, the 7d window has a fixed
    phase; both fall back to zero. A request is charged when it is admitted, so that one may overshoot.
    """

    __slots__ = (
        "_headers", "_told", "burned", "caches", "capacity_5h", "capacity_7d", "concurrency",
        "ends_5h", "ends_7d", "id", "in_flight", "outages", "paid", "used_5h", "used_7d",
    )  # fmt: skip

    def __init__(self, hidden: HiddenAccount, origin: float) -> None:
        self.id = hidden.account.id
        self.paid = hidden.account.paid
        self.capacity_5h, self.capacity_7d = hidden.capacity_5h, hidden.capacity_7d
        self.concurrency = hidden.concurrency
        self.outages = Spans(hidden.outages, origin)
        self.used_5h = 0.0
        self.used_7d = hidden.used_7d * hidden.capacity_7d if hidden.used_7d else 0.0
        self.ends_5h = 0.0  # never opened
        self.ends_7d = origin + hidden.week_phase_s
        self.in_flight = 0
        self.burned = 0.0
        self.caches = Caches()
        self._told: tuple[int, float, int, float] = (-1, 0.0, -1, 0.0)
        self._headers: Mapping[str, str] = NO_HEADERS

    def roll(self, now: float) -> None:
        """Empty the windows that have ended."""
        if now >= self.ends_5h:
            self.used_5h = 0.0
        while now >= self.ends_7d:
            self.used_7d = 0.0
            self.ends_7d += f.WEEK_S

    def send(self, who: Stake, turn: Turn, now: float) -> Sent:
        """Admit a request, or refuse it."""
        outage = self.outages.at(now)
        if outage is not None:  # every other one is an outage of the network
            return FAILED if outage % 2 else UNREACHED
        self.roll(now)
        if self.used_5h >= self.capacity_5h or self.used_7d >= self.capacity_7d:
            return Sent(QUOTA, headers=self._rejected(now))
        if self.in_flight >= self.concurrency:
            return BURST
        return self._admit(who, turn, now)

    def _admit(self, who: Stake, turn: Turn, now: float) -> Sent:
        cached = self.caches.read(who, turn, now)
        work = who.work(turn, cached)
        if now >= self.ends_5h:
            self.ends_5h = now + f.WINDOW_5H_S
        self.used_5h += work
        self.used_7d += work
        self.burned += work
        self.in_flight += 1
        self.caches.write(who, turn, now)
        return Sent(OK, cached, work)

    def headers(self, now: float) -> Mapping[str, str]:
        """The headers of an answer that begins now; made anew only when they change."""
        if self.paid:
            return NO_HEADERS
        self.roll(now)
        five = round(100.0 * self.used_5h / self.capacity_5h)
        week = round(100.0 * self.used_7d / self.capacity_7d)
        told = (five, self.ends_5h, week, self.ends_7d)
        if told != self._told:
            self._told, self._headers = told, self._tell(five / 100, week / 100, now)
        return self._headers

    def _tell(self, five: float, week: float, now: float) -> dict[str, str]:
        found = {
            f"{UNIFIED}status": "allowed",
            f"{UNIFIED}5h-status": "allowed",
            f"{UNIFIED}5h-utilization": f"{five:.2f}",
            f"{UNIFIED}7d-status": "allowed",
            f"{UNIFIED}7d-utilization": f"{week:.2f}",
            f"{UNIFIED}7d-reset": str(math.ceil(self.ends_7d)),
        }
        if now < self.ends_5h:
            found[f"{UNIFIED}5h-reset"] = str(math.ceil(self.ends_5h))
        return found

    def _rejected(self, now: float) -> dict[str, str]:
        """The headers of a refusal for quota: they name the full window that ends last."""
        five, week = self.used_5h / self.capacity_5h, self.used_7d / self.capacity_7d
        found = self._tell(five, week, now)
        full = [("5h", "five_hour", self.ends_5h)] if five >= 1.0 else []
        full += [("7d", "seven_day", self.ends_7d)] if week >= 1.0 else []
        for name, _, _ in full:
            found[f"{UNIFIED}{name}-status"] = "rejected"
        _, claim, ends_at = max(full, key=lambda one: one[2])
        found[f"{UNIFIED}status"] = "rejected"
        found[f"{UNIFIED}representative-claim"] = claim
        found[f"{UNIFIED}reset"] = str(math.ceil(ends_at))
        found["retry-after"] = str(math.ceil(ends_at - now))
        return found


class World:
    """All accounts, what strikes them together, and what turns would cost on a single one."""

    __slots__ = ("accounts", "single", "storms")

    def __init__(self, scenario: Scenario, origin: float = f.START_AT) -> None:
        self.accounts = {a.account.id: Upstream(a, origin) for a in scenario.accounts}
        self.storms = Spans(scenario.storms, origin)
        self.single = Caches()

    def send(self, account_id: str, who: Stake, turn: Turn, now: float) -> Sent:
        """Send a turn to an account."""
        if self.storms.starts and self.storms.at(now) is not None:
            return STORM
        return self.accounts[account_id].send(who, turn, now)

    def least(self, who: Stake, turn: Turn, now: float, *, first: bool) -> float:
        """The least a turn that is admitted now can weigh: as if all sessions were on one account.

        Its own prefix counts as warm unless the session itself paused for too long.
        """
        warm = not first and turn.think_s <= who.life_s
        cached = turn.reusable if warm else min(self.single.system(who, now), turn.reusable)
        self.single.share(who, now)
        return who.work(turn, cached)

"""Who takes part in a simulated run: a session on its way through its turns, and the counts of all.

State only; what happens to it, and when, is `run`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maxpool.core.pool import NOBODY_EXCLUDED
from maxpool.sim import families as f
from maxpool.sim.bundles import value_of
from maxpool.sim.scenario import Result, Sample, Scenario
from maxpool.sim.world import Sent, Stake

if TYPE_CHECKING:
    from maxpool.core.lease import Lease, LeaseRequest, Ticket
    from maxpool.sim.scenario import SessionPlan, Turn
    from maxpool.sim.world import Upstream


class Client:
    """One session on its way through its turns."""

    __slots__ = (
        "account", "deadline", "lease", "network_since", "nth", "plan", "repeated", "request",
        "sends", "sent", "since", "ticket", "tried", "turn", "unsent", "waited_s", "who",
    )  # fmt: skip

    lease: Lease
    request: LeaseRequest
    sent: Sent
    turn: Turn

    def __init__(self, number: int, plan: SessionPlan, cache_life_s: float | None) -> None:
        self.plan = plan
        self.who = Stake(number, plan, cache_life_s)
        self.nth = 0
        self.account: Upstream | None = None  # that admitted its last turn
        self.ticket: Ticket | None = None  # while it stands in the queue
        self.since = 0.0  # when it began to wait
        self.waited_s = 0.0  # of this turn, in the queue or before asking again
        self.deadline = 0.0
        self.begin()

    def begin(self) -> None:
        """A request of its own begins: nothing was tried for it."""
        self.tried: frozenset[str] = NOBODY_EXCLUDED
        self.repeated = False
        self.sends = self.unsent = 0
        self.network_since: float | None = None

    def spent(self, now: float) -> bool:
        """Whether the server tries no further."""
        since = self.network_since
        late = since is not None and now - since >= f.NETWORK_BUDGET_S
        return late or self.sends - self.unsent >= f.MOST_SENDS


class Counts:
    """What a run counts; see `Result`."""

    __slots__ = (
        "bursts", "cache_tokens_lost", "late_1s", "late_60s", "least", "moves", "overloads",
        "quotas", "refused", "served", "sessions_lost", "unused", "value", "waited_s", "work_lost",
    )  # fmt: skip

    def __init__(self) -> None:
        self.served = self.late_1s = self.late_60s = self.refused = self.sessions_lost = 0
        self.quotas = self.bursts = self.overloads = self.moves = self.cache_tokens_lost = 0
        self.value = self.least = self.waited_s = self.unused = self.work_lost = 0.0

    def late(self, waited_s: float) -> None:
        """A turn was admitted after it had waited so long for quota or room."""
        self.waited_s += waited_s
        self.late_1s += waited_s > 1.0
        self.late_60s += waited_s > 60.0

    def result(
        self,
        scenario: Scenario,
        strategy: str,
        *,
        burned: float,
        key_burned: float,
        took_s: float,
        samples: tuple[Sample, ...],
    ) -> Result:
        """The counts as a value, with what the world knows."""
        turns = [(plan, turn) for plan in scenario.sessions for turn in plan.turns]
        return Result(
            family=scenario.family,
            seed=scenario.seed,
            strategy=strategy,
            turns=len(turns),
            served=self.served,
            value_offered=sum(value_of(plan, turn) for plan, turn in turns),
            value_served=self.value,
            burned=burned,
            least=self.least,
            late_1s=self.late_1s,
            late_60s=self.late_60s,
            waited_s=self.waited_s,
            refused=self.refused,
            sessions_lost=self.sessions_lost,
            quota_429=self.quotas,
            burst_429=self.bursts,
            overloads=self.overloads,
            moves=self.moves,
            cache_tokens_lost=self.cache_tokens_lost,
            unused=self.unused,
            key_burned=key_burned,
            key_usd=key_burned / 1e6 * f.KEY_USD_PER_MILLION,
            took_s=took_s,
            samples=samples,
        )

"""Strategies: how the pool chooses among the accounts that may serve a request, by name.

Whether an account may serve, the owner's preferences, priorities and tiers, and whether a key may
be used at all are decided before any strategy is asked. `cost` is the default and has a room of
its own (`core/cost`, `core/index`); the others are here for those who want them and for comparison.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maxpool.core.binding import Binding
    from maxpool.core.state import AccountState

COST = "cost"


@dataclass(slots=True)
class Asking:
    """What a strategy may look at besides the account: the time, the session, how many leases were."""

    now: float
    binding: Binding | None
    leased: int


class Strategy(Protocol):
    """One way to choose: the account with the lowest rank serves; equal ranks go on in turn."""

    def rank(self, state: AccountState, asking: Asking) -> tuple[float, ...]:
        """The account's rank, lower is better."""


class Sticky:
    """A session stays where it was last while that can serve, else the least busy account."""

    def rank(self, state: AccountState, asking: Asking) -> tuple[float, ...]:
        """The session's own account first, then by leases in flight."""
        binding = asking.binding
        own = binding is not None and binding.current == state.account.id
        return (0.0 if own else 1.0, float(state.in_flight))


class DrainSoonest:
    """The account whose week ends first, so that nothing of it lapses."""

    def rank(self, state: AccountState, asking: Asking) -> tuple[float, ...]:
        """By the next weekly reset; unknown ones last."""
        week = state.quota.windows.get("7d")
        reset_at = None if week is None else week.next_reset(asking.now)
        return (math.inf if reset_at is None else reset_at,)


class LeastUsed:
    """The account that has used the least of its week."""

    def rank(self, state: AccountState, asking: Asking) -> tuple[float, ...]:
        """By estimated weekly use; unknown counts as half."""
        used = state.quota.estimate("7d", asking.now)
        return (0.5 if used is None else used,)


class RoundRobin:
    """Each in turn."""

    def rank(self, state: AccountState, asking: Asking) -> tuple[float, ...]:
        """Least recently leased first."""
        return (float(state.lease_order),)


class Ordered:
    """The first of the owner's list that can serve."""

    def rank(self, state: AccountState, asking: Asking) -> tuple[float, ...]:
        """By position in the owner's list."""
        return (float(state.position),)


class Weighted:
    """Each as often as its plan is large, times the owner's `weight`."""

    def rank(self, state: AccountState, asking: Asking) -> tuple[float, ...]:
        """By when its next turn is: turns are the further apart the smaller it is."""
        return (state.turns + state.turn_length,)


class Scattered:
    """Anyone, evenly, in an order nobody can foresee but that is the same in every run."""

    def rank(self, state: AccountState, asking: Asking) -> tuple[float, ...]:
        """By a digest of the account and the number of leases so far."""
        text = f"{asking.leased} {state.account.id}".encode()
        return (float(int.from_bytes(blake2b(text, digest_size=6).digest())),)


STRATEGIES: Mapping[str, Strategy | None] = {
    COST: None,
    "sticky": Sticky(),
    "drain-soonest": DrainSoonest(),
    "least-used": LeastUsed(),
    "round-robin": RoundRobin(),
    "ordered": Ordered(),
    "weighted": Weighted(),
    "random": Scattered(),
}
"""Every strategy by name; None: the cost model itself."""

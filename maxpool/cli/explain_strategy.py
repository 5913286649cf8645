"""Why a strategy other than `cost` chose an account, in words. Pure.

Numbers are told where the document has them: what would be chosen now has, a past decision has not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maxpool.wire.words import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Document = Mapping[str, Any]
    Says = Callable[[Document, str, float], str]

COST = "cost"
"""The strategy whose choice the terms of the cost explain."""


def by_strategy(strategy: str, winner: Document, equals: int, at: float) -> str:
    """The end of a sentence; `equals`: how many candidates of the winner's rank there were."""
    says = SAYS.get(strategy)
    if says is None:
        return f"that is what the strategy {strategy} says"
    return f"{strategy}: {says(winner, f'of {equals}', at)}"


def _sticky(winner: Document, of_all: str, _at: float) -> str:
    if "own" not in winner:
        return f"the session was there, or it was the least busy {of_all}"
    if winner["own"]:
        return "the session is there already"
    return f"it is the least busy {of_all} ({winner['in_flight']} running)"


def _drain_soonest(winner: Document, of_all: str, at: float) -> str:
    until = winner.get("week_ends_at")
    if until is None:
        return f"its week ends first {of_all}, as far as known"
    return f"its week ends first {of_all}, in {duration(until - at)}"


def _least_used(winner: Document, of_all: str, _at: float) -> str:
    if "week_used" not in winner:
        return f"it had used the least of its week {of_all}"
    used = winner["week_used"]
    if used is None:
        return f"what it has used of its week is unknown and counts as half, the least {of_all}"
    return f"it has used {used * 100:.0f} % of its week, the least {of_all}"


SAYS: Mapping[str, Says] = {
    "sticky": _sticky,
    "drain-soonest": _drain_soonest,
    "least-used": _least_used,
    "round-robin": lambda _winner, of_all, _at: f"its last turn is the longest ago {of_all}",
    "ordered": lambda _winner, of_all, _at: f"it comes first {of_all} in your list",
    "weighted": lambda _winner, of_all, _at: f"it had the least for its size {of_all}",
    "random": lambda _winner, of_all, _at: f"chance chose it, one {of_all}",
}
"""Strategy -> its own words for the account it chose."""

"""What a look at the accounts ends with: a choice, or a block and when that ends. Values; decides nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maxpool.core.reasons import BY_EVENT, Reason

if TYPE_CHECKING:
    from maxpool.core.cost import Behind, Cost, Terms
    from maxpool.core.decisions import Ranked
    from maxpool.core.eligibility import Unavailable
    from maxpool.core.field import Rank
    from maxpool.core.lease import LeaseRequest
    from maxpool.core.routes import Target
    from maxpool.core.state import AccountState


@dataclass(slots=True)
class Choice:
    """The account that won, what it was weighed against, and how the session stood to it.

    `move_cost`: what leaving its warm prefix behind costs, in the unit of the cost terms. `request`: as
    the chosen target has it, `target` of the `route` that the request named; None where it named a model.
    """

    state: AccountState
    cost: Cost
    work: float
    weighed: list[Ranked]
    terms: Terms | None
    behind: list[Behind]
    unavailable: dict[str, int]
    home_could_serve: bool
    lost_tokens: int = 0
    move_cost: float = 0.0
    rank: Rank = ()
    request: LeaseRequest | None = None
    target: Target | None = None
    route: str = ""


@dataclass(slots=True)
class Blocked:
    """Nobody can serve: the reason that ends first, and how many accounts have which reason."""

    cause: Unavailable
    counts: dict[str, int] = field(default_factory=dict)
    behind: Reason | None = None  # what the first of the queue waits for
    at_once: bool = False  # not to be waited for, by the owner's word


_PERSON = frozenset({Reason.LOCKED_OUT, Reason.CLOSED, Reason.DRAINING, Reason.DISABLED})


def end_of(block: Unavailable) -> float:
    """When a block ends: its time, soon for an event, late for a person's act, never otherwise."""
    if block.until is not None:
        return block.until
    if block.reason in BY_EVENT:
        return 0.0
    return 1e17 if block.reason in _PERSON else 1e18

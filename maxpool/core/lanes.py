"""Lanes: accounts alike, in the order in which they cost less, and the place where an account stands.

Values that `core/index` keeps; which lanes there are and who stands in them is its business.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from maxpool.core.offers import mixed

if TYPE_CHECKING:
    from maxpool.core.account import Account
    from maxpool.core.state import AccountState

LaneKey = tuple[Any, ...]
Entry = tuple[float, int, str, float]  # (weekly order, lease order, account id, room)

MIXED = "mixed"


def signature(account: Account) -> LaneKey:
    """Everything of an account that enters eligibility or cost, apart from its quota.

    Of accounts that offer models of their own only what enters cost: they are many and each different,
    and a lane for each would have to be looked at for each request.
    """
    cost = (
        account.priority,
        account.tier,
        account.paid,
        account.slots,
        account.plan_weight,
        account.weight,
    )
    if mixed(account):
        return (*cost, MIXED)
    return (
        *cost,
        account.format,
        account.serves,
        account.profiles,
        account.lacks,
        account.lacks_abroad,
        (*account.context.items(), account.max_output_tokens),
        account.provider,
        account.kind,
    )


@dataclass(slots=True)
class Lane:
    """Accounts alike but for week and room, best week first; `sample` stands for all of them.

    `form` and `median_of` say how the order becomes a price (see `cost.Week`): a plan whose median
    counts for the unknown use, None where the use is known. `mixed`: they are alike in cost only, and
    each has to be asked whether it can serve.
    """

    sample: AccountState
    before: tuple[object, ...]
    form: str
    median_of: tuple[str | None] | None
    length_s: float
    congestion: float
    failures: float
    opening: float
    mixed: bool = False
    entries: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class Place:
    """Where one account stands."""

    lane: LaneKey | None = None
    entry: Entry | None = None
    alarm: float | None = None
    signature: int = -1
    known: tuple[LaneKey, float] | None = None
    parked: str | None = None
    crowd: int = 0  # sessions seen there lately, when last reckoned
    private: bool = False  # it concerns nobody but those who ask for it by name

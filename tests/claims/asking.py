"""What the tests of the pool's claims ask of a pool, in few words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maxpool import (
    Internal,
    Lease,
    Pool,
    Refusal,
)
from maxpool.wire.verdict import classify
from tests.make import (
    MODEL,
    NOW,
    ask,
    lease,
)

if TYPE_CHECKING:
    from maxpool.core.lease import Outcome

OPUS = "claude-opus-5-5"
U = "anthropic-ratelimit-unified-"
NEVER = 0.0  # a patience: refused at once when nobody can serve


def serves(p: Pool, model: str = MODEL, now: float = NOW) -> bool:
    """Whether a request that cannot wait gets an account."""
    found = p.acquire(ask(model=model, max_wait_s=NEVER, arrived_at=now), now)
    if isinstance(found, Lease):
        p.release(found, Internal(), now)
    return isinstance(found, Lease)


def refusal(p: Pool, now: float = NOW, **given: Any) -> Refusal:
    found = p.acquire(ask(max_wait_s=NEVER, arrived_at=now, **given), now)
    assert isinstance(found, Refusal), found
    return found


def ended(p: Pool, name: str, outcome: Outcome, now: float = NOW, model: str = MODEL) -> None:
    """One lease of that account, ended like that."""
    others = frozenset(p.states) - {name}
    p.release(lease(p, now, model=model, exclude=others), outcome, now)


def answered(p: Pool, headers: dict[str, str], model: str, status: int = 429) -> Outcome:
    """An answer of account `a` with these headers, as the data path takes it in."""
    taken = lease(p, model=model, exclude=frozenset(p.states) - {"a"})
    p.observe("a", headers, NOW, lease=taken, status=status)
    outcome = classify(status, headers, b"", model=model, now=NOW)
    p.release(taken, outcome, NOW)
    return outcome

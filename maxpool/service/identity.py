"""Whose login it is: a stable id for a new account, and which known account has the same login (S13).

Two organisations of one person are two accounts; one login under two names would be one quota
counted twice. Pure; the vault and the provider are asked elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from maxpool.config.identity import unwritten_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from maxpool.wire.credential import StoredCredential

ALONE = ("max", "pro")
"""Words in the names of plans that one person has alone: such an organisation is one subscription."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An account of the config and the credential it has, None where nobody can tell."""

    id: str
    name: str
    kind: str
    provider: str
    plan: str | None = None
    credential: StoredCredential | None = None


def account_id(known: Known) -> str:
    """An id from who the login is: provider, person and organisation, else provider and key.

    The name plays no part where anything else is known, so that it may change.
    """
    held = known.credential
    if held is None:
        return unwritten_id(known.kind, known.name)
    whose: tuple[str, ...] = (held.fingerprint,)
    if held.account_uuid is not None:
        whose = (held.account_uuid, held.organization_uuid or "")
    parts = (known.provider, *whose)
    return f"a-{sha256(chr(0).join(parts).encode()).hexdigest()[:12]}"


def same_login(fresh: Known, others: Iterable[Known]) -> Known | None:
    """The account that has this login already."""
    return next((other for other in others if _same(fresh, other)), None)


def shares_organization(fresh: Known, others: Iterable[Known]) -> Known | None:
    """Another subscription of the same organisation: one quota, or two seats of a team."""
    return next(
        (o for o in others if o.kind == "subscription" and _one_organization(fresh, o)), None
    )


def is_another(known: Known, fresh: Known) -> bool:
    """Whether a new login for a known account is surely somebody else's."""
    before, after = known.credential, fresh.credential
    if before is None or after is None or known.kind not in ("oauth", "subscription"):
        return False
    pairs = (
        (before.account_uuid, after.account_uuid),
        (before.organization_uuid, after.organization_uuid),
    )
    return any(old is not None and new is not None and old != new for old, new in pairs)


def _same(fresh: Known, other: Known) -> bool:
    mine, theirs = fresh.credential, other.credential
    if mine is None or theirs is None or fresh.kind != other.kind:
        return False
    if fresh.kind == "provider" and mine.origin != theirs.origin:
        return False  # many local services take any key at all
    if mine.secret == theirs.secret:
        return True
    # Another issuer has other words for a person, and its tokens go nowhere else.
    if fresh.provider != other.provider or len({mine.issuer, theirs.issuer} - {None}) > 1:
        return False
    if mine.account_uuid is not None:
        ours = (mine.account_uuid, mine.organization_uuid)
        return ours == (theirs.account_uuid, theirs.organization_uuid)
    return fresh.kind == "subscription" and _one_organization(fresh, other) and _alone(fresh, other)


def _one_organization(fresh: Known, other: Known) -> bool:
    mine, theirs = fresh.credential, other.credential
    if mine is None or theirs is None or fresh.provider != other.provider:
        return False
    return mine.organization_uuid is not None and mine.organization_uuid == theirs.organization_uuid


def _alone(*members: Known) -> bool:
    return any(word in (one.plan or "").lower() for one in members for word in ALONE)

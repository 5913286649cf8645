"""Which account holds what was made there: batches, files, containers and threads, by their ids.

Such things live in one account's organisation, so a request that names one must be served there. Kept
through restarts and removals, bounded in number and age; what is forgotten is found again by asking.
Chooses nothing: `LeaseRequest.owner` does.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from maxpool.core.pool import Pool
    from maxpool.core.settings import PoolSettings

RESOURCES: Final = "resources"
"""What a request needs that makes or names such things, and what accounts of other services lack."""

MAX_ID_CHARS: Final = 128
"""A longer id is none; real ones have about 30."""


@dataclass(slots=True)
class Owned:
    """One resource: who holds it, and when it was last seen there."""

    account_id: str
    seen_at: float


@dataclass(slots=True)
class Owners:
    """All that is known, the longest unseen first. `names`: labels of the holders, removed ones too."""

    settings: PoolSettings
    by_id: OrderedDict[str, Owned] = field(default_factory=OrderedDict)
    names: dict[str, str] = field(default_factory=dict)

    def find(self, resource: str, now: float) -> str | None:
        """The id of the account that holds it; None when nobody knows."""
        found = self.by_id.get(resource)
        if found is None or now - found.seen_at > self.settings.owned_age_s:
            return None
        return found.account_id

    def keep(self, resource: str, account_id: str, now: float) -> None:
        """It was seen on that account."""
        if not 0 < len(resource) <= MAX_ID_CHARS:
            return
        self.by_id[resource] = Owned(account_id, now)
        self.by_id.move_to_end(resource)
        oldest = now - self.settings.owned_age_s
        while len(self.by_id) > self.settings.max_owned or self._first().seen_at < oldest:
            self.by_id.popitem(last=False)

    def _first(self) -> Owned:
        return next(iter(self.by_id.values()))

    def succeed(self, earlier_id: str, account_id: str) -> None:
        """An account goes by another id from now on."""
        for owned in self.by_id.values():
            if owned.account_id == earlier_id:
                owned.account_id = account_id

    def step(self, by_s: float) -> None:
        """The wall clock was set."""
        for owned in self.by_id.values():
            owned.seen_at += by_s

    def dump(self) -> dict[str, Any]:
        """By account, for the snapshot."""
        found: dict[str, Any] = {}
        for resource, owned in self.by_id.items():
            name = self.names.get(owned.account_id, "")
            kept = found.setdefault(owned.account_id, {"name": name, "ids": []})
            kept["ids"].append([resource, owned.seen_at])
        return found

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take that back; holders that are no longer configured are kept, so that it can be said."""
        found = []
        for account_id, kept in saved.items():
            self.names[account_id] = str(kept["name"])
            found += [(str(resource), Owned(account_id, float(at))) for resource, at in kept["ids"]]
        known = [one for one in found if isfinite(one[1].seen_at)]
        known.sort(key=lambda one: one[1].seen_at)
        self.by_id = OrderedDict(known[-self.settings.max_owned :])


def seen(pool: Pool, resources: Iterable[str], account_id: str, now: float) -> None:
    """An answer of that account proved that it holds these."""
    owners, state = pool.owners, pool.states.get(account_id)
    if state is not None:
        owners.names[account_id] = state.account.name
    for resource in resources:
        owners.keep(resource, account_id, now)
        pool.revision += 1


def gone(pool: Pool, resources: Iterable[str]) -> None:
    """They were deleted."""
    for resource in resources:
        if pool.owners.by_id.pop(resource, None) is not None:
            pool.revision += 1

"""System prefixes that several sessions share, and on which accounts they are still cached.

Measured, not assumed: the first turn of a session where such a prefix should be warm tells how many
tokens of it were really read. Bounded in prefixes and in accounts per prefix.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maxpool.core.settings import PoolSettings

LEARN = 0.3
"""Weight of a new measurement."""


@dataclass(slots=True)
class Prefix:
    """One system prefix: tokens that sessions were seen to share, and until when it is warm where."""

    tokens: float | None = None
    warm: OrderedDict[str, float] = field(default_factory=OrderedDict)

    def shared(self, account_id: str, now: float) -> float:
        """Tokens that a new session would find cached on that account."""
        if self.tokens is None or self.warm.get(account_id, 0.0) <= now:
            return 0.0
        return self.tokens


@dataclass(slots=True)
class Prefixes:
    """All of them, the least recently used first."""

    settings: PoolSettings
    by_digest: OrderedDict[str, Prefix] = field(default_factory=OrderedDict)

    def find(self, digest: str | None) -> Prefix | None:
        """What is known of a prefix."""
        return None if digest is None else self.by_digest.get(digest)

    def is_warm(self, digest: str | None, account_id: str, now: float) -> bool:
        """Whether some session kept it warm there."""
        found = self.find(digest)
        return found is not None and found.warm.get(account_id, 0.0) > now

    def heat(self, digest: str | None, account_id: str, until: float) -> None:
        """An account just read or wrote it; it stays cached until then."""
        if digest is None:
            return
        found = self.by_digest.get(digest)
        if found is None:
            found = self.by_digest[digest] = Prefix()
            while len(self.by_digest) > self.settings.max_prefixes:
                self.by_digest.popitem(last=False)
        else:
            self.by_digest.move_to_end(digest)
        warm = found.warm
        warm[account_id] = max(until, warm.get(account_id, 0.0))
        warm.move_to_end(account_id)
        while len(warm) > self.settings.max_prefix_accounts:
            warm.popitem(last=False)

    def learn(self, digest: str | None, tokens: int) -> None:
        """The first turn of a session read that many tokens where the prefix was warm."""
        found = self.find(digest)
        if found is not None:
            old = found.tokens
            found.tokens = float(tokens) if old is None else old + (tokens - old) * LEARN

    def forget_account(self, account_id: str) -> None:
        """An account was removed."""
        for prefix in self.by_digest.values():
            prefix.warm.pop(account_id, None)

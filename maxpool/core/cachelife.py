"""How long an upstream keeps a prompt prefix: learned from hits and misses, never assumed.

Each answer to a session that came back says whether its prefix was still there at that idle age.
Starts from what the request asked for. Kept per account, with all accounts together as the guess
for those that have told nothing. Bounded: a few ages per account.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from dataclasses import dataclass, field

AGES_S = (60.0, 150.0, 300.0, 450.0, 600.0, 900.0, 1800.0, 2700.0, 3600.0, 5400.0, 7200.0, 14_400.0)
"""Upper ends of the idle ages that are told apart; what is older is never believed warm."""
MEMORY = 0.9
"""What an old observation still counts after each new one of its age."""
ENOUGH = 1.5
"""Misses (as far as remembered) at an age before they outweigh what was asked for: one may have
another cause than age, a hit has none."""
TOLD = 20
"""Observations of one account before its own ages count, not those of all accounts."""
REQUESTED_S = frozenset({300.0, 3600.0})
"""The times to live that can be requested; each has its own ages."""
MOST = 4096


@dataclass(slots=True)
class Ages:
    """Hits and misses by idle age, for one time to live as requested."""

    hits: list[float] = field(default_factory=lambda: [0.0] * len(AGES_S))
    misses: list[float] = field(default_factory=lambda: [0.0] * len(AGES_S))
    oldest: list[float] = field(default_factory=lambda: [0.0] * len(AGES_S))

    told: int = 0

    def add(self, idle_s: float, *, hit: bool) -> bool:
        """One observation; True when it may change what is believed."""
        i = bisect_left(AGES_S, idle_s)
        if i >= len(AGES_S):
            return False
        self.told += 1
        if hit and self.hits[i] > self.misses[i] and idle_s <= self.oldest[i]:
            self.hits[i] = self.hits[i] * MEMORY + 1.0  # as ever: nothing to find out
            self.misses[i] *= MEMORY
            return self.told == TOLD
        before = self._verdict(i)
        self.hits[i] = self.hits[i] * MEMORY + hit
        self.misses[i] = self.misses[i] * MEMORY + (not hit)
        older = hit and idle_s > self.oldest[i]
        if older:
            self.oldest[i] = idle_s
        return older or self._verdict(i) != before or self.told == TOLD

    def _verdict(self, i: int) -> int:
        """1: still there at that age, -1: gone, 0: not known."""
        hits, misses = self.hits[i], self.misses[i]
        if hits > misses:
            return 1
        return -1 if misses > hits and hits + misses >= ENOUGH else 0

    def life(self, asked_s: float) -> float:
        """How long a prefix is believed to stay, in seconds.

        A hit at an old age proves all younger ones; misses cut what was asked for only where no
        older hit contradicts them.
        """
        proven, broken, low = 0.0, asked_s, 0.0
        for i, high in enumerate(AGES_S):
            verdict = self._verdict(i)
            if verdict > 0:
                proven, broken = self.oldest[i], asked_s
            elif verdict < 0:
                broken = min(broken, low)
            low = high
        return proven if proven >= asked_s else max(min(asked_s, broken), proven, 1.0)


@dataclass(slots=True)
class CacheLife:
    """Lives by account and requested time to live; the account "" is all of them together."""

    ages: OrderedDict[tuple[str, float], Ages] = field(default_factory=OrderedDict)
    lives: dict[tuple[str, float], float] = field(default_factory=dict)

    def life(self, account_id: str, asked_s: float) -> float:
        """How long that account keeps a prefix for which `asked_s` seconds were requested."""
        lives = self.lives
        if not lives:
            return asked_s
        found = lives.get((account_id, asked_s))
        return lives.get(("", asked_s), asked_s) if found is None else found

    def learn(self, account_id: str, asked_s: float, idle_s: float, *, hit: bool) -> None:
        """A session came back to the account after `idle_s` and its prefix was there, or not."""
        if asked_s not in REQUESTED_S or idle_s < 0.0:
            return
        for name in (account_id, ""):
            ages = self.ages.get((name, asked_s))
            if ages is None:
                ages = Ages()
                self.keep(name, asked_s, ages)
            if ages.add(idle_s, hit=hit):
                self.keep(name, asked_s, ages)

    def keep(self, account_id: str, asked_s: float, ages: Ages) -> None:
        """Go by these observations of an account."""
        self.ages[account_id, asked_s] = ages
        self.ages.move_to_end((account_id, asked_s))
        if ages.told >= TOLD or not account_id:
            self.lives[account_id, asked_s] = ages.life(asked_s)
        while len(self.ages) > MOST:
            gone, _ = self.ages.popitem(last=False)
            self.lives.pop(gone, None)

    def forget_account(self, account_id: str) -> None:
        """An account was removed."""
        for key in [k for k in self.ages if k[0] == account_id]:
            del self.ages[key]
            self.lives.pop(key, None)

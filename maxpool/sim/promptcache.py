"""The prompt cache of one invented organisation: what is warm, and what a request really costs.

Keyed by the exact prefix up to each breakpoint (tools, system, messages) and the model variant;
each hit refreshes; bounded, least recently used out first. Works on pieces of bytes and knows no
API format (vendor's prompt-caching page: order, lookback of 20 blocks, minimum length).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from maxpool.core.lease import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maxpool.sim.plans import SimSettings

Life = Literal["5m", "1h"]


def tokens_of(size: int) -> int:
    """Tokens of a text of `size` characters or bytes: a quarter, at least one."""
    return max(1, size // 4)


@dataclass(frozen=True, slots=True)
class Piece:
    """One block of a prompt; `life` set where a cache breakpoint stands behind it."""

    data: bytes
    life: Life | None = None


@dataclass(slots=True)
class Entry:
    """A cached prefix."""

    tokens: int
    life: Life
    expires_at: float


@dataclass(frozen=True, slots=True)
class Boundary:
    """The end of one piece: the digest and token count of everything up to here."""

    digest: bytes
    tokens: int
    life: Life | None


@dataclass(frozen=True, slots=True)
class CacheUse:
    """What one request reads and writes; hand it to `PromptCache.keep` once it is admitted."""

    boundaries: tuple[Boundary, ...]
    read: int
    write_5m: int
    write_1h: int
    plain: int

    def usage(self, output: int) -> TokenUsage:
        """As token usage with `output` answer tokens."""
        return TokenUsage(self.plain, output, self.read, self.write_5m, self.write_1h)


@dataclass(slots=True)
class PromptCache:
    """Live prefixes by digest."""

    settings: SimSettings
    entries: OrderedDict[bytes, Entry] = field(default_factory=OrderedDict)

    def match(self, variant: str, pieces: Sequence[Piece], now: float) -> CacheUse:
        """What a request would read, write and pay in full; changes nothing."""
        bounds = _boundaries(variant, pieces)
        marks = [
            i
            for i, b in enumerate(bounds)
            if b.life is not None and b.tokens >= self.settings.cache_min_tokens
        ]
        total = bounds[-1].tokens if bounds else 0
        if not marks:
            return CacheUse(bounds, 0, 0, 0, total)
        read = self._longest_hit(bounds, marks, now)
        written = {"5m": 0, "1h": 0}
        done = read
        for mark in marks:
            bound = bounds[mark]
            if bound.tokens > done and bound.life is not None:
                written[bound.life] += bound.tokens - done
                done = bound.tokens
        return CacheUse(bounds, read, written["5m"], written["1h"], total - done)

    def keep(self, use: CacheUse, now: float) -> None:
        """Store the request's breakpoints and refresh every live prefix it read."""
        for bound in use.boundaries:
            entry = self.entries.get(bound.digest)
            if entry is not None and entry.expires_at > now and bound.tokens <= use.read:
                entry.expires_at = max(entry.expires_at, now + self._life_s(entry.life))
                self.entries.move_to_end(bound.digest)
            elif bound.life is not None and bound.tokens >= self.settings.cache_min_tokens:
                expires_at = now + self._life_s(bound.life)
                self.entries[bound.digest] = Entry(bound.tokens, bound.life, expires_at)
                self.entries.move_to_end(bound.digest)
        while len(self.entries) > self.settings.cache_entries:
            self.entries.popitem(last=False)

    def live(self, now: float) -> int:
        """How many prefixes are warm."""
        return sum(1 for entry in self.entries.values() if entry.expires_at > now)

    def _longest_hit(self, bounds: tuple[Boundary, ...], marks: list[int], now: float) -> int:
        lookback = self.settings.cache_lookback_blocks
        for mark in reversed(marks):
            for i in range(mark, max(mark - lookback, 0) - 1, -1):
                entry = self.entries.get(bounds[i].digest)
                if entry is not None and entry.expires_at > now:
                    return bounds[i].tokens
        return 0

    def _life_s(self, life: Life) -> float:
        return self.settings.cache_ttl_1h_s if life == "1h" else self.settings.cache_ttl_5m_s


def _boundaries(variant: str, pieces: Sequence[Piece]) -> tuple[Boundary, ...]:
    chain = hashlib.blake2b(variant.encode(), digest_size=16)
    tokens = 0
    bounds = []
    for piece in pieces:
        chain.update(len(piece.data).to_bytes(4, "big"))
        chain.update(piece.data)
        tokens += tokens_of(len(piece.data))
        bounds.append(Boundary(chain.copy().digest(), tokens, piece.life))
    return tuple(bounds)

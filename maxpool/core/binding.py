"""Bindings: which account a session is at home on, and where its prompt prefix is still warm.

A session moves by need (its home cannot serve; it comes back while the cache there is warm) or by
choice (elsewhere is cheaper; it re-homes). Bounded in number and age; the least recently used goes
first.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maxpool.core.cachelife import CacheLife

if TYPE_CHECKING:
    from maxpool.core.lease import LeaseRequest, TokenUsage
    from maxpool.core.settings import PoolSettings


@dataclass(slots=True)
class Warmth:
    """An account's prompt cache for one session: `tokens` of its prefix (0 = unsaid) until `until`.

    Hoped for as soon as a request is sent there, `proven` once one was answered. `since` is when it
    was last read or written: what is past its believed life may teach how long that really is. `model`:
    what was asked there last, since each model has a cache of its own; "" = not known.
    """

    until: float
    tokens: int
    proven: bool = False
    since: float = 0.0
    model: str = ""


@dataclass(slots=True)
class Binding:
    """One session (or one sub-agent of it)."""

    key: str
    home: str
    last_used: float
    current: str = ""
    turns: int = 0
    moves: int = 0
    protected: bool = False
    warm: dict[str, Warmth] = field(default_factory=dict)

    def warm_at(self, account_id: str, now: float) -> Warmth | None:
        """The warmth left on an account, None when it is cold."""
        found = self.warm.get(account_id)
        return found if found is not None and found.until > now else None


@dataclass(slots=True)
class Move:
    """What binding a request meant: why it moved, and how many warm tokens it left behind.

    `expected` tokens of its prefix were cached where it went, `idle_s` ago (None: never there).
    """

    why: str | None = None
    moved: bool = False
    lost_tokens: int = 0
    expected: int = 0
    idle_s: float | None = None


def session_key(request: LeaseRequest, *, parent: bool = False) -> str | None:
    """The key a request's binding has; sub-agents of one session have their own."""
    if request.session is None:
        return None
    if request.agent is None or parent:
        return request.session
    return f"{request.session}\x1f{request.agent}"


@dataclass(slots=True)
class Bindings:
    """All bindings, least recently used first."""

    settings: PoolSettings
    by_key: OrderedDict[str, Binding] = field(default_factory=OrderedDict)
    lives: CacheLife = field(default_factory=CacheLife)
    begun: int = 0

    def find(self, key: str | None, now: float) -> Binding | None:
        """The binding, unless it is too old to mean anything."""
        if key is None:
            return None
        found = self.by_key.get(key)
        if found is None or now - found.last_used > self.settings.binding_age_s:
            return None
        return found

    def bind(
        self, request: LeaseRequest, account_id: str, now: float, *, home_could_serve: bool
    ) -> Move:
        """Record that the request was given to an account, and say what kind of move that is."""
        key = session_key(request)
        if key is None:
            return Move()
        found = self.find(key, now)
        if found is None:
            found = Binding(key=key, home=account_id, last_used=now)
            self.by_key[key] = found
            self.begun += 1
            self._trim(now)
        move = self._move(found, account_id, now, home_could_serve=home_could_serve)
        known = found.warm.get(account_id)
        if known is not None and known.proven:
            move.expected, move.idle_s = known.tokens, now - known.since
        found.current, found.last_used = account_id, now
        found.turns += 1
        found.protected = found.protected or request.signed_thinking
        self.by_key.move_to_end(key)
        until = now + self.lives.life(account_id, request.cache_ttl_s)
        self._heat(found, account_id, until, request)
        return move

    def _move(self, found: Binding, account_id: str, now: float, *, home_could_serve: bool) -> Move:
        lost = found.warm_at(found.current, now) if found.current not in ("", account_id) else None
        moved = lost is not None
        why = None
        if account_id != found.home:
            why = "choice" if home_could_serve else "need"
            if home_could_serve or found.warm_at(found.home, now) is None:
                found.home = account_id  # by choice, or because nothing warm is left to return to
        found.moves += moved
        return Move(why, moved, lost.tokens if lost is not None else 0)

    def _heat(self, found: Binding, account_id: str, until: float, request: LeaseRequest) -> None:
        old, proven, since = found.warm.pop(account_id, None), False, 0.0
        tokens = request.input_tokens
        if old is not None:
            until, tokens = max(until, old.until), max(tokens, old.tokens)
            proven, since = old.proven, old.since
        found.warm[account_id] = Warmth(until, tokens, proven, since, request.model)
        while len(found.warm) > self.settings.max_warm_per_session:
            del found.warm[next(a for a in found.warm if a != found.home)]

    def answered(
        self, request: LeaseRequest, account_id: str, usage: TokenUsage, now: float
    ) -> None:
        """An answer tells what the account's cache now really holds."""
        found = self.find(session_key(request), now)
        warmth = found.warm.get(account_id) if found is not None else None
        if warmth is None:
            return
        warmth.proven = True
        if usage.prefix > 0:
            life_s = self.lives.life(account_id, request.cache_ttl_s)
            warmth.until, warmth.tokens, warmth.since = now + life_s, usage.prefix, now

    def unused(self, request: LeaseRequest, account_id: str, now: float) -> None:
        """The request never was answered there: nothing got warm by it."""
        found = self.find(session_key(request), now)
        warmth = found.warm.get(account_id) if found is not None else None
        if found is not None and warmth is not None and not warmth.proven:
            del found.warm[account_id]

    def succeed(self, earlier_id: str, account_id: str) -> None:
        """An account goes by another id from now on: what was warm and at home there is so here."""
        for binding in self.by_key.values():
            binding.home = account_id if binding.home == earlier_id else binding.home
            binding.current = account_id if binding.current == earlier_id else binding.current
            warmth = binding.warm.pop(earlier_id, None)
            if warmth is not None:
                binding.warm[account_id] = warmth

    def forget_account(self, account_id: str) -> None:
        """An account was removed: nothing is at home or warm there any more."""
        self.lives.forget_account(account_id)
        for key in [k for k, b in self.by_key.items() if b.home == account_id]:
            binding = self.by_key[key]
            others = [a for a in binding.warm if a != account_id]
            if others:
                binding.home = others[-1]
            else:
                del self.by_key[key]
        for binding in self.by_key.values():
            binding.warm.pop(account_id, None)
            if binding.current == account_id:
                binding.current = ""

    def rehome(self, key: str, account_id: str) -> bool:
        """A person moves a session; False when there is no such session."""
        found = self.by_key.get(key)
        if found is None:
            return False
        found.home = account_id
        found.warm = {account_id: Warmth(found.last_used + 3600.0, 0)}
        return True

    def _trim(self, now: float) -> None:
        oldest = now - self.settings.binding_age_s
        while self.by_key:
            first = next(iter(self.by_key.values()))
            if len(self.by_key) <= self.settings.max_bindings and first.last_used >= oldest:
                return
            del self.by_key[first.key]

"""Randomness for jitter and identifiers: the only file that draws numbers in a real server."""

from __future__ import annotations

import random
import secrets

TOKEN_BYTES = 12
"""96 bits: request ids never collide in the life of a ledger, and nobody guesses one."""

DRAWN_TOKENS = 256
"""So many are drawn from the system at a time: one call each would cost more than all the rest."""


class SystemChance:
    """`ports.Chance` on the system's generators."""

    __slots__ = ("_drawn", "_numbers")

    def __init__(self) -> None:
        self._numbers = random.SystemRandom()
        self._drawn: list[str] = []

    def jitter(self, low: float, high: float) -> float:
        """A number evenly drawn from [low, high]."""
        return self._numbers.uniform(low, high)

    def token(self) -> str:
        """A fresh random identifier, 24 hex digits."""
        if not self._drawn:
            digits, size = secrets.token_hex(TOKEN_BYTES * DRAWN_TOKENS), 2 * TOKEN_BYTES
            self._drawn = [digits[i : i + size] for i in range(0, len(digits), size)]
        return self._drawn.pop()

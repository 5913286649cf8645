"""Randomness for jitter and identifiers: the only file that draws numbers in a real server."""

from __future__ import annotations

import random
import secrets

TOKEN_BYTES = 12
"""96 bits: request ids never collide in the life of a ledger, and nobody guesses one."""


class SystemChance:
    """`ports.Chance` on the system's generators."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers = random.SystemRandom()

    def jitter(self, low: float, high: float) -> float:
        """A number evenly drawn from [low, high]."""
        return self._numbers.uniform(low, high)

    def token(self) -> str:
        """A fresh random identifier, 24 hex digits."""
        return secrets.token_hex(TOKEN_BYTES)

from __future__ import annotations

import re

from maxpool.adapters.chance import SystemChance


def test_jitter_stays_within_its_bounds():
    chance = SystemChance()
    assert all(0.1 <= chance.jitter(0.1, 1.0) <= 1.0 for _ in range(200))


def test_tokens_are_24_hex_digits_and_never_repeat():
    chance = SystemChance()
    tokens = {chance.token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(re.fullmatch(r"[0-9a-f]{24}", token) for token in tokens)

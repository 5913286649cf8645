"""Results as if they had been played."""

from __future__ import annotations

from typing import Any

from maxpool.sim.scenario import Result, Sample


def result(family: str = "moderate", seed: int = 1, strategy: str = "cost", **given: Any) -> Result:
    """A run of 100 turns that served 90 of 100."""
    usual: dict[str, Any] = {
        "turns": 100, "served": 90, "value_offered": 100.0, "value_served": 90.0, "burned": 110.0,
        "least": 100.0, "late_1s": 4, "late_60s": 2, "waited_s": 50.0, "refused": 0,
        "sessions_lost": 1, "quota_429": 3, "burst_429": 5, "overloads": 0, "moves": 9,
        "cache_tokens_lost": 2_500_000, "unused": 1_000_000.0, "key_burned": 0.0, "key_usd": 1.5,
        "took_s": 0.25,
    }  # fmt: skip
    return Result(family=family, seed=seed, strategy=strategy, **{**usual, **given})


def samples(hours: int = 24, accounts: int = 2) -> tuple[Sample, ...]:
    """Hours in which ever more is used, and a few wait at the end."""
    return tuple(
        Sample(
            at_s=3600.0 * hour,
            served=1000.0 * hour,
            waiting=max(0, hour - hours + 4),
            used_7d=tuple(hour / hours for _ in range(accounts)),
        )
        for hour in range(1, hours + 1)
    )

import pytest

from maxpool.core.lease import TokenUsage
from maxpool.sim.buckets import KeyLimits
from maxpool.sim.plans import SimAccount, SimSettings

NOW = 1_700_000_000.0


def limits(**changes) -> KeyLimits:
    account = SimAccount("k", "s", "api", capacity_tokens=6000.0, **changes)
    return KeyLimits.of(account, SimSettings(), NOW)


def test_an_empty_bucket_refills_evenly() -> None:
    key = limits(requests_per_minute=2.0)
    usage = TokenUsage(input=1)
    for _ in range(2):
        assert key.wall(NOW, usage) is None
        key.take(NOW, usage)
    wall = key.wall(NOW, usage)
    assert wall is not None
    assert wall[0].name == "requests"
    assert wall[1] == pytest.approx(30.0)
    assert key.wall(NOW + 29, usage) is not None
    assert key.wall(NOW + 30, usage) is None


def test_cached_input_is_free_of_the_input_limit() -> None:
    key = limits()
    assert key.wall(NOW, TokenUsage(cache_read=1_000_000)) is None
    key.take(NOW, TokenUsage(cache_read=1_000_000))
    assert key.input_tokens.level == 6000.0


def test_a_request_above_the_limit_passes_a_full_bucket_and_leaves_a_debt() -> None:
    key = limits()
    assert key.wall(NOW, TokenUsage(input=12_000)) is None
    key.take(NOW, TokenUsage(input=12_000))
    wall = key.wall(NOW, TokenUsage(input=100))
    assert wall is not None
    assert wall[1] == pytest.approx(61.0)


def test_a_bucket_never_holds_more_than_its_limit() -> None:
    key = limits()
    assert all(b.level == b.limit for b in key.all(NOW + 86_400))

"""The values that cross the ports."""

from __future__ import annotations

from maxpool.adapters.chance import SystemChance
from maxpool.adapters.clock import SystemClock
from maxpool.adapters.secrets import ReferenceSecrets
from maxpool.adapters.upstream import HttpUpstream
from maxpool.ports import Chance, Clock, Secret, SecretSource, Upstream
from maxpool.sim.clock import HandClock


def test_a_secret_shows_four_characters_at_most():
    secret = Secret("sk-ant-api03-abcdefgh1234")
    assert repr(secret) == str(secret) == "Secret(...1234)"
    assert "1234" not in repr(Secret("short1234"))
    assert f"{[secret]}" == "[Secret(...1234)]"


def test_secrets_compare_by_value():
    assert Secret("a" * 20) == Secret("a" * 20) != Secret("b" * 20)
    assert len({Secret("a" * 20), Secret("a" * 20)}) == 1


async def test_the_adapters_and_the_simulated_world_satisfy_the_ports():
    clock: Clock = SystemClock()
    hand: Clock = HandClock()
    chance: Chance = SystemChance()
    secrets: SecretSource = ReferenceSecrets()
    upstream: Upstream = HttpUpstream()
    assert clock.now() > hand.now() > 0
    assert 1.0 <= chance.jitter(1.0, 2.0) <= 2.0
    assert secrets is not None
    await upstream.aclose()

"""Accounts whose secret is missing or refused come back when their owner renews it."""

from __future__ import annotations

import itertools

import pytest

from maxpool import AuthFinal, AuthRejected
from maxpool.errors import SecretError
from maxpool.ports import Destination, Secret
from maxpool.service.limits import Limits
from maxpool.service.origins import Origins
from maxpool.service.revival import Revival
from maxpool.service.tasks import Tasks
from maxpool.service.tokens import Tokens
from maxpool.service.waiting import WaitingRoom
from maxpool.sim.clock import HandClock
from tests.make import lease, pool, state_of

HERE = Destination(base_url="http://127.0.0.1:1")


class Vault:
    def __init__(self, **secrets):
        self.secrets = secrets
        self.asked = []

    def resolve(self, reference):
        self.asked.append(reference)
        value = self.secrets.get(reference.partition(":")[2])
        if value is None:
            raise SecretError("there is no such secret", "Write it.")
        return Secret(value)


def _revival(vault, reference="file:a"):
    clock = HandClock()
    p = pool("a")
    tokens = Tokens(vault, {"a": reference})
    waiting = WaitingRoom(p, clock, Limits(), Tasks())
    return p, Revival(p, tokens, Origins(), {"a": HERE}, waiting, clock)


async def test_an_account_without_a_secret_is_locked_and_named():
    p, revival = _revival(Vault())
    await revival.look()
    assert state_of(p, "a") == "locked_out"
    assert revival.notices() == ("Account 'a' has no secret: there is no such secret. Write it.",)


async def test_it_comes_back_when_the_file_is_there():
    vault = Vault()
    p, revival = _revival(vault)
    await revival.look()
    vault.secrets["a"] = "sk-ant-api03-0123456789"
    await revival.tick()
    assert (state_of(p, "a"), revival.notices()) == ("ready", ())


async def test_a_refused_secret_stays_refused_until_there_is_another():
    vault = Vault(a="sk-ant-api03-old-0123456789")
    p, revival = _revival(vault)
    await revival.look()
    revival.tokens.refuse("a", await revival.tokens.bearer("a", HERE))
    p.release(lease(p), AuthRejected(), revival.clock.now())
    await revival.tick()
    assert state_of(p, "a") == "locked_out"
    vault.secrets["a"] = "sk-ant-api03-new-0123456789"
    await revival.tick()
    assert state_of(p, "a") == "ready"


@pytest.mark.parametrize("reference", ["env:a", "command:a"])
async def test_only_files_are_looked_at_again_and_again(reference):
    vault = Vault()
    _, revival = _revival(vault, reference)
    await revival.tick()
    assert vault.asked == []
    await revival.look()
    assert vault.asked == [reference]


async def test_an_account_locked_for_its_origin_is_left_locked():
    vault = Vault(a="sk-ant-api03-0123456789")
    _, revival = _revival(vault)
    revival.origins.locked.add("a")
    await revival.look()
    assert vault.asked == []


async def test_a_removed_account_is_no_longer_named():
    p, revival = _revival(Vault())
    await revival.look()
    p.remove("a", revival.clock.now())
    await revival.look()
    assert revival.notices() == ()


async def test_a_refused_secret_gets_another_chance_after_growing_pauses():
    p, revival = _revival(Vault(a="sk-ant-api03-0123456789"), "env:a")
    clock, chances = revival.clock, []
    await revival.look()
    for _ in range(200):
        if state_of(p, "a", clock.now()) == "ready":
            chances.append(clock.now())
            revival.tokens.refuse("a", await revival.tokens.bearer("a", HERE))
            p.release(lease(p, clock.now()), AuthRejected(), clock.now())
        await revival.tick()
        clock.advance(60)
    gaps = [b - a for a, b in itertools.pairwise(chances)]
    assert gaps[:3] == [360, 900, 3600]  # the first pause begins with the first look


async def test_a_login_that_is_over_gets_no_second_chance():
    p, revival = _revival(Vault(a="sk-ant-api03-0123456789"), "env:a")
    await revival.look()
    revival.tokens.refuse("a", await revival.tokens.bearer("a", HERE))
    p.release(lease(p), AuthFinal("revoked"), revival.clock.now())
    revival.clock.advance(86_400)
    for _ in range(3):
        await revival.tick()
        revival.clock.advance(3600)
    assert state_of(p, "a", revival.clock.now()) == "locked_out"


async def test_a_command_that_gave_nothing_is_asked_again_after_a_minute():
    vault = Vault()
    p, revival = _revival(vault, "command:a")
    await revival.look()
    vault.secrets["a"] = "sk-ant-api03-0123456789"
    revival.clock.advance(61)
    await revival.tick()
    assert state_of(p, "a", revival.clock.now()) == "ready"


async def test_a_clock_set_back_makes_no_pause_longer():  # O7
    vault = Vault()
    p, revival = _revival(vault, "command:a")
    await revival.look()
    await revival.tick()
    revival.clock.advance(-3600)
    revival.clock_stepped(-3600, revival.clock.now())
    vault.secrets["a"] = "sk-ant-api03-0123456789"
    revival.clock.advance(61)
    await revival.tick()
    assert state_of(p, "a", revival.clock.now()) == "ready"


async def test_a_secret_that_was_away_for_a_while_is_no_refused_one():
    vault = Vault(a="sk-ant-api03-0123456789")
    p, revival = _revival(vault, "command:a")
    await revival.look()
    revival.tokens.refuse("a", await revival.tokens.bearer("a", HERE))
    p.release(lease(p), AuthRejected(), revival.clock.now())
    kept = vault.secrets.pop("a")
    await revival.look()
    for _ in range(10):
        revival.clock.advance(60)
        await revival.tick()
    assert state_of(p, "a", revival.clock.now()) == "locked_out"
    assert revival.notices(), "it says why"
    vault.secrets["a"] = kept
    for _ in range(30):
        revival.clock.advance(60)
        await revival.tick()
    assert state_of(p, "a", revival.clock.now()) == "ready"

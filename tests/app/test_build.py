"""Building a proxy, and applying another config to a running one."""

from __future__ import annotations

import pytest

from maxpool import AuthRejected, Lease, QuotaExceeded
from maxpool.adapters.store import SqliteStateStore
from maxpool.app.addresses import destinations_of
from maxpool.app.build import build, ids_of
from maxpool.config.load import parse
from maxpool.errors import BindError, MaxpoolError
from maxpool.sim.clock import HandClock
from tests.make import ask

TWO = """
[[accounts]]
name = "a"
secret = "env:A"
base_url = "{a}"
[[accounts]]
name = "b"
secret = "env:B"
base_url = "https://b.example/v1"
"""


def config(tmp_path, text=None, a="https://a.example"):
    return parse((text or TWO).replace("{a}", a), tmp_path / "config.toml")


def names(built):
    return [s.account.name for s in built.pool.states.values()]


async def save(built):
    assert built.keeper is not None
    await built.keeper.save()


def states(built):
    return {a.account.name: a.state for a in built.pool.view(built.clock.now()).accounts}


async def test_every_account_has_a_destination_without_a_doubled_version(tmp_path):
    assert [d.base_url for d in destinations_of(config(tmp_path)).values()] == [
        "https://a.example",
        "https://b.example",
    ]


async def test_accounts_come_and_go_while_leases_run(tmp_path):
    built = build(config(tmp_path))
    lease = built.pool.acquire(ask(), built.clock.now())
    assert isinstance(lease, Lease)
    other = TWO.replace('name = "a"', 'name = "c"')
    built.apply(config(tmp_path, other))
    assert sorted(names(built)) == ["b", "c"]
    built.pool.release(lease, QuotaExceeded("7d"), built.clock.now())
    assert {s.in_flight for s in built.pool.states.values()} == {0}
    await built.upstream.aclose()


OPEN = """
[server]
host = "0.0.0.0"
[[client_keys]]
name = "me"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
"""


async def test_a_newcomer_in_front_of_the_list_is_the_first_of_the_ordered_strategy(tmp_path):
    built = build(config(tmp_path, '[pool]\nstrategy = "ordered"\n' + TWO))
    front = '[pool]\nstrategy = "ordered"\n[[accounts]]\nname = "c"\nsecret = "env:C"\n'
    front += 'base_url = "https://c.example"\n'
    built.apply(config(tmp_path, front + TWO))
    lease = built.pool.acquire(ask(), built.clock.now())
    assert isinstance(lease, Lease)
    assert built.pool.states[lease.account_id].account.name == "c"
    await built.upstream.aclose()


async def test_a_reload_never_takes_the_key_off_a_socket_beyond_loopback(tmp_path):  # X2
    built = build(config(tmp_path, OPEN + TWO))
    assert built.app.rules.require_key
    with pytest.raises(BindError):
        built.apply(config(tmp_path))
    with_key = config(tmp_path, OPEN.replace("0.0.0.0", "127.0.0.1") + TWO)
    built.apply(with_key)
    assert built.app.rules.require_key, "the socket is where the first config put it"
    assert sorted(names(built)) == ["a", "b"]
    await built.upstream.aclose()


async def test_an_account_that_moves_elsewhere_is_locked_until_confirmed(tmp_path):
    built = build(config(tmp_path))
    built.apply(config(tmp_path, a="https://evil.example"))
    (moved,) = [s for s in built.pool.states.values() if s.account.name == "a"]
    assert "base_url changed" in moved.health.reason
    assert moved.health.state.value == "locked_out"
    built.bind_origins(["a"])
    assert moved.health.state.value == "ready"
    await built.upstream.aclose()


async def test_a_home_is_not_locked_when_the_shared_upstream_moves(tmp_path):
    home = "[upstream]\nbase_url = '{a}'\n[[accounts]]\nname = 'laptop'\nkind = 'home'\n"
    built = build(config(tmp_path, home), clock=HandClock())
    built.apply(config(tmp_path, home, a="https://elsewhere.example"))
    assert states(built) == {"laptop": "home"}
    await built.upstream.aclose()


async def test_an_account_that_only_a_reload_brought_can_be_confirmed_too(tmp_path):
    built = build(config(tmp_path, "[server]\nport = 1\n"))
    built.apply(config(tmp_path))
    built.apply(config(tmp_path, a="https://evil.example"))
    (moved,) = built.origins.locked
    built.operator.confirm(moved)
    assert (states(built)["a"], built.origins.bound[moved]) == ("ready", "https://evil.example")
    await built.upstream.aclose()


async def test_a_refused_account_that_moves_on_this_machine_starts_afresh_there(tmp_path):
    built = build(config(tmp_path, a="http://127.0.0.1:1000"))
    (b,) = [i for i, s in built.pool.states.items() if s.account.name == "b"]
    lease = built.pool.acquire(ask(), built.clock.now(), exclude=frozenset({b}))
    assert isinstance(lease, Lease)
    built.pool.release(lease, AuthRejected(), built.clock.now())
    assert states(built)["a"] == "locked_out"
    built.apply(config(tmp_path, a="http://127.0.0.1:2000"))
    assert states(built)["a"] == "ready"
    await built.upstream.aclose()


async def test_a_move_on_this_machine_leaves_the_old_upstreams_troubles_behind(tmp_path):
    built = build(config(tmp_path, a="http://127.0.0.1:1000"))
    (b,) = [i for i, s in built.pool.states.items() if s.account.name == "b"]
    lease = built.pool.acquire(ask(), built.clock.now(), exclude=frozenset({b}))
    assert isinstance(lease, Lease)
    built.pool.release(lease, QuotaExceeded("7d", built.clock.now() + 9e4), built.clock.now())
    built.apply(config(tmp_path, a="http://127.0.0.1:1000"))
    assert states(built)["a"] == "benched"
    built.apply(config(tmp_path, a="http://127.0.0.1:2000"))
    assert states(built)["a"] == "ready"
    await built.upstream.aclose()


async def test_a_lock_by_a_move_outlives_a_restart(tmp_path):
    store = SqliteStateStore(tmp_path / "state.db")
    first = build(config(tmp_path), store=store)
    await save(first)
    for _ in range(2):
        again = build(config(tmp_path, a="https://evil.example"), store=store)
        (moved,) = [s for s in again.pool.states.values() if s.account.name == "a"]
        assert moved.health.state.value == "locked_out"
        await save(again)
        await again.upstream.aclose()
    store.close()
    await first.upstream.aclose()


async def test_a_restart_remembers_benches_unless_the_upstream_is_another(tmp_path):
    store, clock = SqliteStateStore(tmp_path / "state.db"), HandClock()
    local = "http://127.0.0.1:1000"
    first = build(config(tmp_path, a=local), store=store, clock=clock)
    (b,) = [i for i, s in first.pool.states.items() if s.account.name == "b"]
    lease = first.pool.acquire(ask(), clock.now(), exclude=frozenset({b}))
    assert isinstance(lease, Lease)
    first.pool.release(lease, QuotaExceeded("7d", clock.now() + 9e4), clock.now())
    await save(first)
    same = build(config(tmp_path, a=local), store=store, clock=clock)
    assert states(same)["a"] == "benched"
    moved = build(config(tmp_path, a="http://127.0.0.1:2000"), store=store, clock=clock)
    assert states(moved) == {"a": "ready", "b": "ready"}
    store.close()
    for built in (first, same, moved):
        await built.upstream.aclose()


async def test_a_broken_memory_is_said_and_the_pool_starts(tmp_path):
    store = SqliteStateStore(tmp_path / "state.db")
    store.save({"version": 1, "accounts": "nonsense", "bindings": []})
    built = build(config(tmp_path), store=store)
    assert len(built.pool.states) == 2
    assert any("set aside" in notice for notice in built.notices)
    assert (tmp_path / "state.db.unreadable-1").exists()
    store.close()
    await built.upstream.aclose()


async def test_confirming_nobody_is_an_error_that_names_everybody(tmp_path):
    with pytest.raises(MaxpoolError, match="nobody") as caught:
        ids_of(config(tmp_path), frozenset({"nobody"}))
    assert "a, b" in caught.value.hint

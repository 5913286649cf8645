from __future__ import annotations

from typing import Any

import pytest

from maxpool import Internal, Lease, OwnLogin, Pool
from maxpool.config.model import Config
from maxpool.core import owners
from maxpool.errors import RequestError
from maxpool.service.clientlogin import (
    FORGET_AFTER_S,
    NOBODY,
    ORIGIN,
    ClientLogins,
    Policy,
    policy_of,
    remembered,
)
from maxpool.service.origins import Origins
from maxpool.wire.credential import fingerprint
from tests.make import DAY, NOW, ask, key, pool, unified

HERE = "https://api.example"
ORG = "anthropic-organization-id"


def policy(**given: Any) -> Policy:
    spill = frozenset({"api_key"})
    return Policy(**{"order": "first", "spill": spill, "base_url": HERE, "most": 2, **given})


def logins(p: Pool | None = None, **given: Any) -> ClientLogins:
    return ClientLogins(p or pool(key()), policy(**given), Origins(), NOW)


def bearer(name: str) -> str:
    return f"sk-ant-oat01-{name}"


def seen(of: ClientLogins, name: str, now: float = NOW, session: str | None = None) -> str | None:
    """A request with that login comes in; the id of the account that stands for it."""
    asked = ask(session, program="claude-code")
    own = of.own(asked, {"authorization": f"Bearer {bearer(name)}"}, now).own
    return None if own is None else own.account_id


def known(of: ClientLogins) -> list[str]:
    return [i for i in of.pool.states if i.startswith("client-")]


def test_a_login_is_known_by_its_fingerprint_and_by_nothing_else():
    of = logins()
    account_id = seen(of, "a")
    assert account_id == f"client-{fingerprint(bearer('a'))}"
    assert of.pool.states[account_id].account.name == f"client {fingerprint(bearer('a'))}"
    assert bearer("a") not in repr(of)
    assert seen(of, "a") == account_id


def test_nobody_stays_away_by_a_step_of_the_clock():  # O7
    of = logins()
    first, later = seen(of, "a"), NOW + 2 * FORGET_AFTER_S
    of.clock_stepped(2 * FORGET_AFTER_S, later)
    seen(of, "b", later)
    assert first in known(of)


@pytest.mark.parametrize(
    ("program", "header"),
    [
        (None, f"Bearer {bearer('a')}"),
        ("claude-code", "Bearer sk-ant-api03-x"),
        ("claude-code", f"Basic {bearer('a')}"),
        ("claude-code", f"Bearer {bearer('a')}, Bearer {bearer('b')}"),
        ("claude-code", ""),
    ],
)
def test_only_claude_codes_own_oauth_bearer_counts(program, header):
    of, asked = logins(), ask(program=program)
    assert of.own(asked, {"authorization": header}, NOW) is asked
    assert not known(of)


def test_switched_off_nothing_is_looked_at():
    of = logins(order="off")
    assert seen(of, "a") is None
    assert not known(of)


def test_the_longest_unused_makes_room_and_one_at_work_never_does():
    of = logins()
    a, b = seen(of, "a"), seen(of, "b", NOW + 1)
    asked = ask(own=OwnLogin(a or ""), program="claude-code")
    held = of.pool.acquire(asked, NOW + 2)
    assert isinstance(held, Lease)
    assert held.account_id == a
    c = seen(of, "c", NOW + 3)
    assert known(of) == [a, c], b
    other = of.pool.acquire(ask(own=OwnLogin(c or ""), program="claude-code"), NOW + 4)
    assert isinstance(other, Lease)
    assert seen(of, "d", NOW + 5) == NOBODY
    of.pool.release(held, Internal(), NOW + 6)
    assert seen(of, "d", NOW + 7) == f"client-{fingerprint(bearer('d'))}"


def test_a_login_unused_for_a_week_is_forgotten_when_another_comes():
    of = logins()
    seen(of, "a")
    b = seen(of, "b", NOW + FORGET_AFTER_S)
    assert known(of) == [b]


def test_another_bearer_with_a_known_fingerprint_is_not_taken_for_it(monkeypatch):
    monkeypatch.setattr("maxpool.service.clientlogin.fingerprint", lambda _: "0" * 8)
    of = logins()
    assert seen(of, "a") == "client-00000000"
    assert seen(of, "b") == NOBODY


def test_an_account_of_the_config_is_never_overwritten():
    taken = f"client-{fingerprint(bearer('a'))}"
    of = logins(pool(key(taken)))
    assert seen(of, "a") == NOBODY
    assert of.pool.states[taken].account.kind == "api_key"


def turn(of: ClientLogins, name: str, told: dict[str, str]) -> None:
    """One request of session `s` that its own login served."""
    own = OwnLogin(seen(of, name, session="s") or "")
    held = of.pool.acquire(ask("s", own=own, program="claude-code"), NOW)
    assert isinstance(held, Lease)
    of.pool.observe(held.account_id, told, NOW, lease=held, status=200)
    of.answered(held.account_id, NOW)
    of.pool.release(held, Internal(), NOW)


@pytest.mark.parametrize(
    ("told", "left"), [({ORG: "org"}, "b"), ({ORG: "other"}, "ab"), ({}, "ab")]
)
def test_a_new_bearer_of_the_same_session_and_organisation_takes_the_old_ones_place(told, left):
    of = logins()
    turn(of, "a", {ORG: "org"})
    turn(of, "b", told)
    assert known(of) == [f"client-{fingerprint(bearer(name))}" for name in left]
    assert of.pool.bindings.by_key["s"].home == known(of)[0]


def test_another_order_moves_the_accounts():
    of = logins()
    seen(of, "a")
    (first,) = of.follow(policy())
    (last,) = of.follow(policy(order="last"))
    assert first.priority < -1_000_000 < 1_000_000 < last.priority


def test_another_upstream_gets_no_login_until_its_owner_says_so():  # X5
    of = logins()
    seen(of, "a")
    assert of.follow(policy(base_url="https://elsewhere.example")) == []
    assert (of.destination, seen(of, "a")) == (None, NOBODY)
    assert "maxpool accounts confirm client:logins" in of.notices()[0]
    of.confirm()
    assert of.destination is not None
    assert of.destination.base_url == "https://elsewhere.example"
    assert (of.notices(), of.origins.bound[ORIGIN]) == ((), "https://elsewhere.example")


def test_the_way_back_and_a_way_on_this_machine_need_no_word():
    of = logins()
    of.follow(policy(base_url="https://elsewhere.example"))
    assert len(of.follow(policy())) == 0
    assert of.destination is not None
    of = logins(base_url="http://127.0.0.1:1000")
    seen(of, "a")
    assert of.follow(policy(base_url="http://localhost:2000")) == [], "another upstream's story"
    assert of.destination is not None
    assert of.destination.base_url == "http://localhost:2000"


def test_switching_them_off_and_on_is_no_word_for_another_upstream():  # X5
    of = logins()
    of.follow(policy(order="off"))
    assert (of.destination, of.notices()) == (None, ())
    of.follow(policy(order="off", base_url="https://elsewhere.example"))
    of.confirm()
    assert of.follow(policy(base_url="https://elsewhere.example")) == []
    assert of.destination is None


def test_a_login_that_is_kept_back_is_told_why_where_nobody_can_help_out():
    of = logins(pool())
    of.follow(policy(base_url="https://elsewhere.example"))
    with pytest.raises(
        RequestError, match=r"from https://api.example to https://elsewhere.example"
    ):
        seen(of, "a")


def test_only_what_is_known_of_a_login_is_remembered():
    of = logins()
    a, _ = seen(of, "a"), seen(of, "b")
    of.pool.observe(a or "", unified(NOW, five=0.5, seven=0.5), NOW)
    saved = {**of.pool.snapshot(NOW), "origins": of.origins.bound}
    (back,) = remembered(saved, policy(), frozenset())
    assert (back.id, back.kind) == (a, "client")
    assert remembered(saved, policy(order="off"), frozenset()) == []
    assert remembered(saved, policy(base_url="https://elsewhere.example"), frozenset()) == []
    assert remembered(saved, policy(), frozenset({back.id})) == []
    restored = Pool.restore(saved, [key(), back], now=NOW + DAY)
    again = ClientLogins(restored, policy(), Origins(), NOW + DAY)
    assert seen(again, "a", NOW + DAY) == a


@pytest.mark.parametrize("odd", [None, [], 7, {"client-00000000": 7, "client-x": {}}])
def test_a_broken_memory_remembers_nobody(odd):
    saved = {"accounts": odd, "origins": {ORIGIN: HERE}}
    assert remembered(saved, policy(), frozenset()) == []


def test_the_policy_is_what_the_config_says():
    said = {"client_login": "last", "spill": ["subscription"], "max_client_logins": 3}
    config = Config.model_validate({"pool": said, "upstream": {"base_url": f"{HERE}/v1"}})
    found = policy_of(config)
    assert (found.order, found.most) == ("last", 3)
    assert found.spill == frozenset({"subscription"})
    assert found.base_url == HERE


def test_what_a_login_made_is_its_own_after_it_was_refreshed():  # R19
    of = logins()
    turn(of, "a", {ORG: "org"})
    owners.seen(of.pool, ["file_1"], known(of)[0], NOW)
    turn(of, "b", {ORG: "org"})
    assert of.pool.owners.find("file_1", NOW) == f"client-{fingerprint(bearer('b'))}"

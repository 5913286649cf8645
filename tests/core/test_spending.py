"""What begins and ends of leases do to the places of accounts, and what a quota probe does."""

from __future__ import annotations

from maxpool import ClientGone, Success, TokenUsage, Wait
from maxpool.core import spending
from maxpool.core.elsewhere import adopt
from maxpool.core.quotareading import QuotaReading
from maxpool.core.ratebuckets import Period, Rule
from maxpool.core.rejected import NotCarried
from tests.make import NOW, account, ask, lease, pool, reason_of, until_of

TOKENS = Rule("tokens", 30_000, Period("hour"), provider="*")
ONE = Rule("requests", 1, Period("hour"), provider="*")


def test_every_account_of_a_shared_limit_is_placed_anew():
    p = pool("a", "b", limits=(ONE,))
    taken = lease(p)
    assert {n: p.index.places[n].parked for n in "ab"} == dict.fromkeys("ab", "bucket_exhausted")
    p.release(taken, NotCarried("images"), NOW)
    assert {n: p.index.places[n].parked for n in "ab"} == {"a": None, "b": None}


def test_a_waiter_is_woken_by_the_answer_that_took_less_than_thought():
    p = pool("a", limits=(TOKENS,))
    taken = lease(p)
    waiting = p.acquire(ask(), NOW)
    assert isinstance(waiting, Wait)
    p.release(taken, Success(TokenUsage(output=5)), NOW + 1)
    [(ticket, _)] = p.wake(NOW + 1)
    assert ticket == waiting.ticket


def test_a_lease_is_settled_once():
    p = pool("a", limits=(TOKENS,))
    taken = lease(p)
    running = p.running[taken.id]
    p.release(taken, ClientGone(TokenUsage(output=5)), NOW)
    spending.end(p, p.states["a"], running, ClientGone(TokenUsage(output=5)), NOW)
    assert p.states["a"].purse is not None
    [bucket] = p.states["a"].purse.own
    assert (bucket.count(NOW), bucket.running) == (5, 0)


def test_an_adopted_lease_is_not_counted_twice():
    p = pool("a", limits=(TOKENS, ONE))
    running = p.running[lease(p).id]
    again = type(p).restore(p.snapshot(NOW), [account("a")], p.settings, NOW)
    running.hold = None
    assert adopt(again, running, NOW, known=True)
    assert again.states["a"].purse is not None
    tokens, calls = again.states["a"].purse.own
    assert (tokens.count(NOW), tokens.reserved, calls.count(NOW)) == (0, 20_700, 1)
    again.release(running.lease, Success(TokenUsage(output=7)), NOW)
    assert (tokens.count(NOW), tokens.reserved) == (7, 0)


def test_a_told_quota_closes_and_opens_an_account():
    p = pool("a", "b")
    spending.watch_quotas(p, {"a": True, "b": False}, NOW)
    for name in "ab":
        spending.quota_told(p, name, QuotaReading(remaining=0, reset_at=NOW + 60), NOW)
    assert (reason_of(p, "a"), until_of(p, "a"), reason_of(p, "b")) == ("quota", NOW + 60, None)
    spending.quota_told(p, "a", "500", NOW + 1)
    assert reason_of(p, "a", NOW + 1) == "quota", "a failed question changes nothing"
    spending.quota_told(p, "a", QuotaReading(remaining=5), NOW + 2)
    assert reason_of(p, "a", NOW + 2) is None
    spending.watch_quotas(p, {}, NOW + 3)
    assert p.states["a"].purse is None


def test_a_failing_probe_never_blocks():
    p = pool("a")
    spending.watch_quotas(p, {"a": True}, NOW)
    spending.quota_told(p, "a", "network", NOW)
    assert lease(p).account_id == "a"


def test_an_account_that_is_gone_takes_no_quota():
    p = pool("a")
    spending.watch_quotas(p, {"a": True, "nobody": True}, NOW)
    p.remove("a", NOW)
    spending.quota_told(p, "a", QuotaReading(remaining=0), NOW)
    assert p.budget.quotas == {}

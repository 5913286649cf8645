"""What one pool's leases teach is repeated in another, over plain JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from maxpool.core.lease import (
    AccountClosed,
    Internal,
    Outcome,
    QuotaExceeded,
    RateLimited,
    Success,
    TokenUsage,
)
from maxpool.core.pool import Pool
from maxpool.service.limits import Limits
from maxpool.service.mirror import Repeater, Teller, merge, plain, risen
from maxpool.service.stats import Refused, Stats
from maxpool.service.tasks import Tasks
from maxpool.service.waiting import WaitingRoom
from maxpool.sim.clock import HandClock
from tests.make import NOW, account, lease, pool, request_record, unified

if TYPE_CHECKING:
    from collections.abc import Callable


def pair(*names: str) -> tuple[Teller, Repeater, Callable[[], None]]:
    """A pool that tells, one restored from its snapshot that hears, and how messages get there."""
    old = pool(*names)
    said: list[Any] = []
    teller = Teller(old, Stats(requests=2), said.append)

    def carry() -> None:
        for message in said:
            repeater.hear(json.loads(msgspec.json.encode(message)))
        said.clear()

    clock = HandClock()
    clock.advance(NOW - clock.now())
    new = Pool.restore(old.snapshot(NOW), [account(n) for n in names], old.settings, NOW)
    waiting = WaitingRoom(new, clock, Limits(), Tasks())
    repeater = Repeater(new, Stats(), waiting, clock)
    return teller, repeater, carry


def test_what_ran_at_the_snapshot_runs_on_and_ends_here_too():
    teller, repeater, carry = pair("a", "b")
    held = lease(teller.pool, NOW, "s")
    teller.begin()
    teller.open()
    carry()
    assert repeater.others == {held.id}
    assert repeater.pool.states[held.account_id].in_flight == 1
    teller.pool.release(held, Success(TokenUsage(10, 20)), NOW + 1.0)
    carry()
    assert not repeater.others
    for one in (teller.pool, repeater.pool):
        assert one.states[held.account_id].tally.total.tokens_out == 20
        assert one.states[held.account_id].in_flight == 0


def test_what_happens_before_the_other_side_listens_is_told_in_order():
    teller, repeater, carry = pair("a")
    teller.begin()
    held = lease(teller.pool, NOW, "s")
    teller.pool.observe("a", unified(five=0.4), NOW, lease=held, status=200)
    teller.pool.release(held, Success(TokenUsage(1, 2)), NOW)
    carry()
    assert repeater.pool.states["a"].tally.total.requests == 0
    teller.open()
    carry()
    assert repeater.pool.states["a"].tally.total.requests == 1
    assert repeater.pool.states["a"].quota.windows["5h"].utilization == 0.4
    assert repeater.pool.bindings.by_key["s"].current == "a"


@pytest.mark.parametrize(
    "outcome", [QuotaExceeded("5h", NOW + 900.0), AccountClosed("on hold"), RateLimited(NOW + 9.0)]
)
def test_an_outcome_does_here_what_it_did_there(outcome: Outcome):
    teller, repeater, carry = pair("a", "b")
    held = lease(teller.pool)
    teller.begin()
    teller.open()
    teller.pool.release(held, outcome, NOW)
    carry()
    views = [
        {a.account.id: a for a in one.view(NOW).accounts} for one in (teller.pool, repeater.pool)
    ]
    there, here = (view[held.account_id].unavailable for view in views)
    assert here == there
    assert here is not None


def test_what_a_newer_version_says_is_left_out_and_frees_the_slot():
    teller, repeater, carry = pair("a")
    held = lease(teller.pool)
    teller.begin()
    teller.open()
    carry()
    repeater.hear({"a new kind": 1})
    repeater.hear({"lease": {"id": "x"}})
    repeater.hear({"ended": [held.id, "NeverHeardOf", {"why": "?"}]})
    assert not repeater.pool.running
    assert repeater.pool.states["a"].tally.total.failed == 0


def test_a_process_that_is_gone_leaves_nothing_behind():
    teller, repeater, carry = pair("a")
    lease(teller.pool)
    teller.begin()
    teller.open()
    carry()
    repeater.lost()
    assert not repeater.pool.running
    assert repeater.pool.states["a"].in_flight == 0


def test_nothing_is_told_any_more_after_the_end():
    teller, _, _ = pair("a")
    teller.begin()
    teller.end()
    held = lease(teller.pool)
    teller.pool.release(held, Internal(), NOW)
    assert teller.waiting == []


def test_counts_go_over_once_and_add_up():
    old = Stats(requests=5, client_errors={503: 2}, held_s=1.5)
    new = Stats(requests=1, client_errors={404: 1})
    before = plain(old)
    merge(new, json.loads(msgspec.json.encode(before)))
    old.requests, old.client_errors[503] = 7, 3
    refused = Refused(
        at=NOW, request_id="r", model="m", reason="quota", retry_at=None, unavailable={"quota": 1}
    )
    old.refusals.append(refused)
    old.meters.ended(request_record())
    merge(new, json.loads(msgspec.json.encode(risen(plain(old), before))))
    assert (new.requests, new.held_s) == (8, 1.5)
    assert new.client_errors == {404: 1, 503: 3}
    assert list(new.refusals) == [refused]
    assert new.meters == old.meters

"""Requests that wait, over the real proxy: in which turn, for how long, and what they hear (Q1-Q8)."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from maxpool.sim import faults
from maxpool.sim.faults import CutFault, HangFault, QuotaFault
from maxpool.sim.plans import SimSettings
from tests.rig import Rig, Wire, ask, key, request_bytes, rig, until

ONE_SLOT = {"slots_per_key": 1}
EARLY = {"commit_after": 0.1, "heartbeat": 0.1}
KEYS = [
    {"name": "person", "key": "env:person"},
    {"name": "batch", "key": "env:batch", "priority": 10},
]


async def hang(it: Rig) -> Wire:
    """A request that takes the only slot until it hangs up."""
    it.sim.inject(HangFault(), "a")
    client = await it.connect()
    await client.send(request_bytes())
    await until(lambda: it.sim.truth("a").in_flight)
    return client


async def wait_in_line(it: Rig, number: int, **headers: str) -> asyncio.Task[float]:
    """A request that waits; its result is when it was answered."""

    async def served() -> float:
        assert (await it.post(ask(f"request {number}"), headers=headers)).whole
        return asyncio.get_running_loop().time()

    task = asyncio.ensure_future(served())
    await until(lambda: len(it.proxy.pool.queue) == number)
    return task


async def test_a_later_request_of_higher_urgency_is_served_first():
    async with rig(key("a"), pool=ONE_SLOT) as it:
        first = await hang(it)
        late = await wait_in_line(it, 1, **{"x-maxpool-priority": "5"})
        soon = await wait_in_line(it, 2)
        shown = (await it.status())["queue"]
        assert [w["position"] for w in shown] == [1, 2]
        first.reset()
        assert await soon < await late
        await until(it.idle)


async def test_a_client_key_claims_no_more_urgency_than_it_may():  # X9
    async with rig(key("a"), key("person"), key("batch"), pool=ONE_SLOT, client_keys=KEYS) as it:
        assert it.proxy.pool.settings.client_keys == 2
        for name in ("person", "batch"):
            state = next(s for s in it.proxy.pool.states.values() if s.account.name == name)
            state.enabled = False
            it.proxy.pool.index.renew(state.account.id, 0.0)
        first = await hang(it)
        secret = "sk-ant-api03-secret-of-{}-0123456789"
        wanted = {"x-maxpool-priority": "0"}
        batch = await wait_in_line(it, 1, **wanted, **{"x-maxpool-key": secret.format("batch")})
        person = await wait_in_line(it, 2, **wanted, **{"x-maxpool-key": secret.format("person")})
        levels = [w.level for w in it.proxy.pool.queue.waiters.values()]
        assert levels == [10, 0]
        first.reset()
        assert await person < await batch


# -- turns -----------------------------------------------------------------------------------------


async def test_one_session_of_many_does_not_starve_another_sessions_request():  # Q5
    async with rig(key("a"), pool=ONE_SLOT) as it:
        first = await hang(it)
        crowd = [await wait_in_line(it, n, **{"x-maxpool-session": "s"}) for n in range(1, 21)]
        alone = await wait_in_line(it, 21, **{"x-maxpool-session": "t"})
        first.reset()
        served_at = await alone
        assert sum(at < served_at for at in await asyncio.gather(*crowd)) <= 2


async def test_waiting_for_one_model_holds_back_no_other():  # Q1
    async with rig(key("a")) as it:
        it.sim.inject(faults.overloaded(), "a", times=2)
        waiting = asyncio.ensure_future(it.post(headers={"x-maxpool-max-wait": "60"}))
        await until(lambda: len(it.proxy.pool.queue))
        assert (await it.post(ask(model="claude-haiku-4-5"))).whole
        assert not waiting.done()
        waiting.cancel()
        await until(it.idle)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
async def test_a_slot_that_is_freed_wakes_the_waiter_at_once(stream):  # Q2
    async with rig(key("a"), pool=ONE_SLOT) as it:
        first = await hang(it)
        waiting = asyncio.ensure_future(it.post(ask(stream=stream)))
        await until(lambda: len(it.proxy.pool.queue) == 1)
        freed_at = time.time()
        first.reset()
        assert (await waiting).whole
        assert it.sim.requests[-1].at - freed_at < 3.0  # it could have waited for minutes


async def test_after_a_pause_waiters_come_back_one_by_one():  # Q7
    gap_s = 0.1
    throttle = {"retry_after_min": 0.3, "throttle_ramp": 5.0, "throttle_ramp_gap": gap_s}
    async with rig(key("a"), pool=throttle) as it:
        it.sim.inject(faults.concurrency_burst(0.3), "a", times=1)
        answers = [asyncio.ensure_future(it.post(ask("first")))]
        await until(lambda: it.proxy.pool.throttle.pauses)
        answers += [asyncio.ensure_future(it.post(ask(f"number {n}"))) for n in range(4)]
        assert all(got.whole for got in await asyncio.gather(*answers))
        times = sorted(record.at for record in it.proxy.pool.decisions.latest())
        ramp = times[2:]  # after the one that met the burst, and the probe
        assert len(ramp) == 4
        assert all(b - a > gap_s * 0.99 for a, b in itertools.pairwise(ramp))


# -- bounds ----------------------------------------------------------------------------------------


async def test_in_a_full_queue_an_urgent_request_takes_the_place_of_one_that_steps_back():  # Q4
    async with rig(key("a"), pool=ONE_SLOT, queue={"limit": 1}) as it:
        first = await hang(it)
        late = asyncio.ensure_future(
            it.post(ask(stream=False), headers={"x-maxpool-priority": "9"})
        )
        await until(lambda: len(it.proxy.pool.queue) == 1)
        urgent = asyncio.ensure_future(it.post())
        told = await late
        assert told.error == (503, "overloaded_error")
        assert "the queue is full" in told.json["error"]["message"]
        again = await it.post(headers={"x-maxpool-priority": "9"})
        assert again.error == (503, "overloaded_error")
        first.reset()
        assert (await urgent).whole
        await until(it.idle)


async def test_a_waiter_whose_client_leaves_frees_its_place_at_once():  # Q6
    async with rig(key("a"), pool=ONE_SLOT, queue={"limit": 1}) as it:
        first = await hang(it)
        gone = await it.connect()
        await gone.send(request_bytes())
        await until(lambda: len(it.proxy.pool.queue) == 1)
        gone.reset()
        await until(lambda: not len(it.proxy.pool.queue))
        next_one = await wait_in_line(it, 1)
        first.reset()
        await next_one
        await until(it.idle)


async def test_who_waits_for_an_account_that_is_removed_is_answered_at_once():  # Q2
    async with rig(key("a"), key("b"), pool=ONE_SLOT) as it:
        first = await hang(it)
        answer = asyncio.ensure_future(it.post(headers={"x-maxpool-account": "a"}))
        await until(lambda: len(it.proxy.pool.queue) == 1)
        gone = next(i for i, s in it.proxy.pool.states.items() if s.account.name == "a")
        it.proxy.pool.remove(gone, it.proxy.clock.now())
        it.proxy.waiting.wake()
        assert (await answer).error == (404, "not_found_error")
        first.reset()
        await until(it.idle)


# -- how long --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("said", "whole"), [(None, False), ("0.1", False), ("5", True)])
async def test_a_caller_may_shorten_its_wait_or_lengthen_it_as_far_as_is_allowed(said, whole):  # Q3
    queue = {"max_wait": 0.3, "max_wait_allowed": 10, "commit_after": 5}
    async with rig(key("a"), pool=ONE_SLOT, queue=queue) as it:
        it.sim.inject(HangFault(seconds=1.0), "a", times=1)
        first = asyncio.ensure_future(it.post())
        await until(lambda: it.sim.truth("a").in_flight)
        got = await it.post(headers={} if said is None else {"x-maxpool-max-wait": said})
        assert got.whole is whole
        assert got.status == (200 if whole else 503)
        await first


async def test_a_wait_over_night_is_held_until_the_quota_is_back():  # Q3
    async with rig(key("a")) as it:
        it.sim.inject(QuotaFault(window="5h", resets_in_s=4 * 3600.0), "a", times=None)
        short = await it.post(headers={"x-maxpool-max-wait": "3600"})
        assert short.error == (429, "rate_limit_error")
        client = await it.connect()
        await client.send(request_bytes(x_maxpool_max_wait="18000"))
        await until(lambda: len(it.proxy.pool.queue) == 1)
        (shown,) = (await it.status())["queue"]
        assert (shown["position"], shown["cause"]) == (1, "quota")
        assert abs(shown["expected_at"] - time.time() - 4 * 3600) < 60
        client.reset()
        await until(it.idle)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
@pytest.mark.parametrize(
    ("fault", "times"),
    [
        (faults.concurrency_burst(0.1), 2),
        (faults.overloaded(), 2),
        (faults.status(500), 3),
        (CutFault(), 2),
    ],
    ids=["burst", "overloaded", "transient", "network"],
)
async def test_a_failed_try_that_has_no_account_left_waits_for_a_better_time(
    fault, times, stream
):  # Q3, R7
    quick = {"retry_after_min": 0.1, "network": 0.1, "breaker_initial": 0.2}
    pool = {**quick, "throttle_default": 0.2, "provisional": 0.1, "throttle_reopen": [0.1]}
    async with rig(key("a"), pool=pool) as it:
        it.sim.inject(fault, "a", times=times)
        got = await it.post(ask(stream=stream))
        assert got.whole
        assert int(got.fields["x-maxpool-attempts"]) == times + 1


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
async def test_a_near_recovery_beyond_the_patience_is_told_to_the_second(stream):  # Q3
    queue = {"max_wait": 0.2, "max_wait_json": 0.2}
    async with rig(key("a"), queue=queue) as it:
        it.sim.inject(QuotaFault(window="5h", resets_in_s=40.0), "a", times=None)
        got = await it.post(ask(stream=stream))
        assert got.error == (429, "rate_limit_error")
        assert 38 <= int(got.fields["retry-after"]) <= 41
        assert "x-should-retry" not in got.fields
        assert got.fields["x-maxpool-retry-at"].endswith("Z")
        assert "(a)" in got.json["error"]["message"]
        assert "Next try about" in got.json["error"]["message"]


async def test_a_retry_keeps_its_patience_when_the_clock_is_set():  # O7
    pool = {"retry_after_min": 0.3, "throttle_default": 0.3}
    async with rig(key("a"), pool=pool, queue={"max_wait": 60}) as it:
        it.sim.inject(HangFault(seconds=0.3), "a", times=1)
        it.sim.inject(faults.bare_429(), "a", times=1)
        answer = asyncio.ensure_future(it.post())
        await until(lambda: it.asked() == ["a"])
        steady = it.proxy.probing.clock
        steady.follow(3600.0)
        it.proxy.pool.clock_stepped(3600.0, steady.now())
        assert (await answer).whole


# -- JSON that waits -------------------------------------------------------------------------------

ALIVE = {**EARLY, "json_keepalive": True, "max_wait_json": 0.2, "max_wait": 5}


@pytest.mark.parametrize(
    ("coding", "hold"), [("identity", 8 << 20), ("gzip", 8 << 20), ("identity", 100)]
)
async def test_white_space_keeps_json_alive_past_its_usual_limit(coding, hold):  # Q3
    sim, limits = SimSettings(gzip=coding == "gzip"), {"hold_json_bytes": hold}
    async with rig(key("a"), pool=ONE_SLOT, queue=ALIVE, sim=sim, limits=limits) as it:
        it.sim.inject(HangFault(seconds=0.6), "a", times=1)
        first = asyncio.ensure_future(it.post())
        await until(lambda: it.sim.truth("a").in_flight)
        got = await it.post(ask(stream=False), headers={"accept-encoding": coding})
        assert got.body.startswith(b"  ")
        assert got.whole
        assert got.fields["content-type"] == "application/json"
        assert "content-encoding" not in got.fields
        assert "x-maxpool-account" not in got.fields
        assert (await first).events[-1] == "message_stop"


async def test_json_that_was_kept_alive_and_finds_nobody_ends_in_a_closed_connection():  # Q3, R16
    async with rig(key("a"), pool=ONE_SLOT, queue={**ALIVE, "max_wait": 0.4}) as it:
        first = await hang(it)
        got = await it.post(ask(stream=False))
        assert (got.status, got.cut, got.body.strip()) == (200, True, b"")
        first.reset()
        await until(it.idle)


async def test_json_that_is_being_answered_keeps_its_status_however_long_that_takes():  # R16
    async with rig(key("a"), queue=ALIVE) as it:
        it.sim.inject(HangFault(seconds=0.5), "a", times=1)
        got = await it.post(ask(stream=False, max_tokens=0))
        assert (got.status, got.cut) == (400, False)


# -- what is seen of it ----------------------------------------------------------------------------


async def test_the_status_shows_place_cause_and_time_of_each_waiter():
    async with rig(key("a"), pool=ONE_SLOT) as it:
        first = await hang(it)
        waiting = [await wait_in_line(it, n) for n in (1, 2)]
        shown = (await it.status())["queue"]
        assert [(w["position"], w["cause"]) for w in shown] == [(1, "slots_full"), (2, "queued")]
        assert all(w["expected_at"] is None or w["expected_at"] > time.time() - 5 for w in shown)
        first.reset()
        await asyncio.gather(*waiting)


async def test_giving_up_after_headers_names_the_cause_and_the_account():  # Q3
    async with rig(key("a"), pool=ONE_SLOT, queue={**EARLY, "max_wait": 0.4}) as it:
        first = await hang(it)
        got = await it.post()
        assert got.events[-1] == "error"
        assert b"every slot is taken (a)" in got.body
        first.reset()
        await until(it.idle)

"""Failover: what one account answers badly is unseen by the client, and blames what it must (R1-R8)."""

from __future__ import annotations

import asyncio
import time

import pytest

from maxpool.sim import faults
from maxpool.sim.faults import (
    CutFault,
    EndFault,
    ErrorEventFault,
    GarbageFault,
    HangFault,
    QuotaFault,
)
from tests.rig import MODEL, Rig, ask, key, request_bytes, rig, until

UNSEEN = {
    "529": faults.overloaded(),
    "500": faults.status(500),
    "502": faults.status(502),
    "520": faults.status(520),
    "408": faults.status(408),
    "409": faults.status(409),
    "429 quota": QuotaFault(window="5h"),
    "429 burst, retry-after 2": faults.concurrency_burst(2.0),
    "429 bare": faults.bare_429(),
    "429 spend limit": faults.spend_limit(),
    "429 growth cap": faults.ramp_limit(),
    "429 extra usage": faults.extra_usage(),
    "401": faults.unauthorized(),
    "403": faults.plain_forbidden(),
    "403 revoked": faults.revoked(),
    "403 not a member": faults.not_a_member(),
    "403 no OAuth": faults.oauth_not_allowed(),
    "400 disabled organisation": faults.organization_disabled(),
    "400 on hold": faults.organization_on_hold(),
    "400 credit balance": faults.credit_balance(),
    "402": faults.payment_required(),
    "404 model": faults.missing_model(MODEL),
    "reset before headers": CutFault(),
    "closed before headers": CutFault(rst=False),
    "html 200": GarbageFault(kind="html"),
    "empty 200": GarbageFault(kind="empty"),
    "broken json": GarbageFault(kind="broken_json"),
    "truncated gzip": GarbageFault(kind="truncated_gzip"),
    "no events": GarbageFault(kind="no_events"),
    "cut at the first byte": CutFault(after=0),
    "hang before headers": HangFault(),
    "hang after headers": HangFault(after=0),
}
ONLY_IN_STREAMS = {
    "error event first: overloaded": faults.error_event("overloaded_error"),
    "error event first: rate limit": faults.error_event("rate_limit_error"),
    "error event first: api error": faults.error_event("api_error"),
    "error event after message_start": faults.error_event("overloaded_error", after=1),
    "cut before content": CutFault(after=2),
    "cut before content inside an event": CutFault(after=1, half_event=True),
    "ended before content": EndFault(after=2),
}


def ids(it: Rig) -> dict[str, str]:
    """The accounts' ids by name."""
    return {s.account.name: i for i, s in it.proxy.pool.states.items()}


QUICK = {"header_timeout_stream": 0.3, "header_timeout_json": 0.3, "idle_timeout": 0.3}


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
@pytest.mark.parametrize("fault", UNSEEN.values(), ids=UNSEEN.keys())
async def test_a_failing_account_is_unseen(fault, stream):  # R3, R4, R7
    async with rig(upstream=QUICK) as it:
        it.sim.inject(fault, "a", times=None)
        got = await it.post(ask(stream=stream))
        assert got.whole
        assert got.account in ("b", "c")
        assert got.fields["x-maxpool-skipped"].startswith("a:")
        assert int(got.fields["x-maxpool-attempts"]) == len(it.asked())
        await until(it.idle)


@pytest.mark.parametrize("fault", ONLY_IN_STREAMS.values(), ids=ONLY_IN_STREAMS.keys())
async def test_a_stream_that_fails_before_content_is_unseen(fault):  # R2, R3
    async with rig() as it:
        it.sim.inject(fault, "a", times=None)
        got = await it.post()
        assert got.whole
        assert got.account in ("b", "c")
        await until(it.idle)


@pytest.mark.parametrize(
    ("fault", "state", "reason"),
    [
        (QuotaFault(window="5h"), "benched", "quota"),
        (faults.concurrency_burst(2.0), "cooling", "provisional"),
        (faults.unauthorized(), "locked_out", "locked_out"),
        (faults.revoked(), "locked_out", "locked_out"),
        (faults.plain_forbidden(), "cooling", "forbidden"),
        (faults.organization_disabled(), "closed", "closed"),
        (faults.payment_required(), "cooling", "billing"),
        (faults.spend_limit(), "benched", "spend_limit"),
        (CutFault(), "cooling", "network"),
        (faults.status(500), "ready", None),
        (faults.overloaded(), "ready", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_each_failure_has_its_own_effect_and_on_one_account_only(
    fault, state, reason
):  # R7, R8
    async with rig() as it:
        it.sim.inject(fault, "a", times=None)
        assert (await it.post()).whole
        a = await it.state("a")
        assert a["state"] == state
        assert (a["unavailable"] or {"reason": None})["reason"] == reason
        assert [(await it.state(n))["state"] for n in "bc"] == ["ready", "ready"]


async def test_an_overload_is_repeated_once_where_it_happened():
    async with rig() as it:
        it.sim.inject(faults.overloaded(), "a", times=1)
        got = await it.post()
        assert got.whole
        assert (got.account, it.asked()) == ("a", ["a", "a"])


async def test_two_failing_accounts_leave_the_third():
    async with rig() as it:
        it.sim.inject(faults.status(500), "a", times=None)
        it.sim.inject(faults.status(500), "b", times=None)
        assert (await it.post()).account == "c"


async def test_a_429_storm_on_all_ends_in_an_answer_once_it_is_over():
    async with rig() as it:
        for name in "abc":
            it.sim.inject(faults.concurrency_burst(1.0), name, times=1)
        got = await it.post()
        assert got.whole


async def test_a_bad_request_passes_with_its_bytes_untouched_and_is_asked_once():  # R5
    odd = b'{ "type":"error",\n "error":{"type":"invalid_request_error","message":"\\u00e9 no"} }\n'
    async with rig() as it:
        it.sim.inject(faults.bad_request(odd), None, times=None)
        for stream in (True, False):
            it.sim.requests.clear()
            got = await it.post(ask(stream=stream))
            assert (got.status, got.body, got.cut) == (400, odd, False)
            assert it.asked() == ["a"]
            assert "x-maxpool-account" not in got.fields
        assert (await it.state("a"))["state"] == "ready"


@pytest.mark.parametrize("status", [404, 410, 413, 422, 425])
async def test_what_belongs_to_the_request_blames_nobody_and_is_asked_once(status):  # R5
    async with rig() as it:
        it.sim.inject(faults.status(status, "of the request"), None, times=None)
        assert (await it.post()).status == status
        assert it.asked() == ["a"]
        assert (await it.state("a"))["failures_in_a_row"] == 0


async def test_extra_usage_is_asked_of_one_other_account_and_then_passes():
    async with rig() as it:
        it.sim.inject(faults.extra_usage(), None, times=None)
        got = await it.post()
        assert got.error == (429, "rate_limit_error")
        assert len(it.asked()) == 2


async def test_a_refusal_of_the_model_is_an_answer():  # R6
    async with rig() as it:
        got = await it.post(ask("please refuse this", stream=False))
        assert (got.status, got.json["stop_reason"], it.asked()) == (200, "refusal", ["a"])


async def test_a_refusal_of_the_model_in_a_stream_is_passed_on_and_blames_nobody():  # R6, R1
    async with rig() as it:
        got = await it.post(ask("please refuse this"))
        assert got.whole
        assert b'"stop_reason":"refusal"' in got.body.replace(b" ", b"")
        assert it.asked() == ["a"]
        a = await it.state("a")
        assert (a["state"], a["failures_in_a_row"], a["last_error"]) == ("ready", 0, None)


async def test_every_try_sends_the_same_bytes_and_the_callers_own_headers():  # R18, R20
    odd = ask().replace(b'"stream"', b' "stream" ') + b"\n"
    sent = {
        "anthropic-beta": "one-2026-01-01, two-2026-02-02",
        "anthropic-version": "2026-10-21",
        "idempotency-key": "only-once",
        "x-stainless-retry-count": "1",
    }
    async with rig() as it:
        for name in "ab":
            it.sim.inject(faults.status(500), name, times=None)
        assert (await it.post(odd, headers=sent)).account == "c"
        assert [seen.body for seen in it.sim.requests] == [odd] * 3
        for name, value in sent.items():
            assert [seen.header(name) for seen in it.sim.requests] == [value] * 3


async def test_after_a_burst_the_idlest_other_account_is_asked():  # R7
    async with rig() as it:
        turn, session = ask("x" * 8000), {"x-maxpool-session": "s"}
        it.proxy.pool.selector.preferred = ids(it)["b"]
        assert (await it.post(turn, headers=session)).account == "b"  # whose cache is warm now
        it.sim.inject(HangFault(), "b")
        first = await it.connect()
        await first.send(request_bytes())
        await until(lambda: it.sim.truth("b").in_flight)
        it.proxy.pool.selector.preferred = ids(it)["a"]
        it.sim.inject(faults.concurrency_burst(5.0), "a", times=1)
        assert (await it.post(turn, headers=session)).account == "c"
        first.reset()


async def test_the_same_burst_on_every_account_pauses_the_pool_and_sets_none_aside():  # R9
    async with rig(key("a"), key("b"), pool={"retry_after_min": 0.5}) as it:
        for name in "ab":
            it.sim.inject(faults.concurrency_burst(0.5), name, times=1)
        answer = asyncio.ensure_future(it.post())
        await until(lambda: it.proxy.pool.throttle.pauses)
        assert [(await it.state(n))["state"] for n in "ab"] == ["ready", "ready"]
        assert (await it.status())["throttle"]["count"] == 1
        assert (await answer).whole
        assert not it.proxy.pool.throttle.pauses


async def test_while_a_pause_is_probed_one_request_is_out():  # R9
    async with rig(key("a"), pool={"retry_after_min": 0.2}) as it:
        it.sim.inject(faults.concurrency_burst(0.2), "a", times=1)
        it.sim.inject(HangFault(seconds=0.4), "a", times=1)
        answers = [asyncio.ensure_future(it.post(ask("first")))]
        await until(lambda: it.proxy.pool.throttle.pauses)
        answers += [asyncio.ensure_future(it.post(ask(f"number {n}"))) for n in range(4)]
        await until(lambda: len(it.asked()) == 2)
        await asyncio.sleep(0.2)  # the probe is out, and says nothing yet
        assert it.asked() == ["a", "a"]
        assert all(got.whole for got in await asyncio.gather(*answers))


async def test_one_account_whose_upstream_is_away_is_tried_as_long_as_the_network_may_fail():  # R10
    async with rig(key("a"), upstream={"network_budget": 0.5}, pool={"network": 0.05}) as it:
        await it.upstream.stop(0.0)
        began = time.monotonic()
        got = await it.post()
        assert got.error == (502, "api_error")
        assert got.fields["x-should-retry"] == "true"
        assert "could not be reached" in got.json["error"]["message"]
        assert 0.5 <= time.monotonic() - began < 3.0


async def test_no_request_is_sent_more_than_six_times():  # R7
    async with rig(*(key(n) for n in "abcdefgh")) as it:
        it.sim.inject(faults.status(500), None, times=None)
        got = await it.post()
        assert (got.status, len(it.asked())) == (500, 6)
        assert got.fields["x-maxpool-attempts"] == "6"


async def test_what_only_its_owner_can_mend_is_said_where_the_owner_looks(caplog):  # R7
    async with rig() as it:
        it.sim.inject(faults.spend_limit(), "a", times=None)
        assert (await it.post()).whole
        a = await it.state("a")
        assert a["unavailable"]["reason"] == "spend_limit"
        assert abs(a["unavailable"]["until"] - time.time() - 3600) < 60
        assert a["last_error"]["class"] == "spend_limited"
        assert "account a: spend_limited" in caplog.text


async def test_dead_logins_everywhere_end_in_a_502_that_names_them():
    async with rig() as it:
        it.sim.inject(faults.unauthorized(), None, times=None)
        got = await it.post()
        assert got.error == (502, "api_error")
        assert got.fields["x-should-retry"] == "false"
        assert "a, b, c" in got.json["error"]["message"]


@pytest.mark.slow
async def test_a_raw_529_never_passes():
    async with rig() as it:
        it.sim.inject(faults.overloaded(), None, times=None)
        got = await it.post()
        assert got.error == (503, "overloaded_error")
        assert len(it.asked()) <= 6


async def test_the_quota_of_all_is_a_429_with_the_time_and_no_long_retry_after():
    async with rig() as it:
        it.sim.inject(QuotaFault(window="5h", resets_in_s=7200.0), None, times=None)
        got = await it.post()
        assert got.error == (429, "rate_limit_error")
        assert "retry-after" not in got.fields
        assert got.fields["x-should-retry"] == "false"
        assert got.fields["x-maxpool-retry-at"]
        assert "a, b, c" in got.json["error"]["message"]


async def test_seven_exhausted_accounts_pass_no_long_retry_after_on():
    async with rig(*(key(n) for n in "abcdefg")) as it:
        it.sim.inject(QuotaFault(window="5h", resets_in_s=7200.0), None, times=None)
        got = await it.post()
        assert (got.status, len(it.asked())) == (429, 6)
        assert int(got.fields.get("retry-after", "0")) <= 60


async def test_a_redirect_is_not_followed_and_shown_as_502():
    async with rig() as it:
        it.sim.inject(faults.redirect(), None, times=None)
        got = await it.post()
        assert got.error == (502, "api_error")
        assert "location" not in got.fields


# -- broken in the middle --------------------------------------------------------------------------


@pytest.mark.parametrize("rst", [True, False], ids=["rst", "fin"])
async def test_a_cut_inside_a_block_breaks_the_connection(rst):  # R15
    async with rig() as it:
        it.sim.inject(CutFault(after="delta", rst=rst), "a")
        got = await it.post()
        assert (got.status, got.cut, it.asked()) == (200, True, ["a"])
        assert "message_stop" not in got.events
        assert "error" not in got.events
        await until(it.idle)
        assert (await it.state("a"))["state"] == "ready"


async def test_a_cut_between_blocks_ends_with_an_overloaded_event():  # R15
    async with rig() as it:
        it.sim.inject(CutFault(after="block"), "a")
        got = await it.post()
        assert not got.cut
        assert got.events[-2:] == ["content_block_stop", "error"]
        assert b'"overloaded_error"' in got.body
        await until(it.idle)


async def test_a_clean_but_early_end_inside_a_block_breaks_the_connection():  # R15
    async with rig() as it:
        it.sim.inject(EndFault(after="delta"), "a")
        assert (await it.post()).cut


async def test_half_an_event_at_the_cut_breaks_the_connection():
    async with rig() as it:
        it.sim.inject(CutFault(after="block", half_event=True), "a")
        assert (await it.post()).cut


async def test_an_upstreams_own_error_after_content_passes_as_it_is():
    async with rig() as it:
        it.sim.inject(faults.error_event("api_error", after="delta"), "a")
        got = await it.post()
        assert got.events[-1] == "error"
        assert b'"api_error"' in got.body
        assert it.asked() == ["a"]


async def test_idleness_in_the_middle_is_a_visible_cut():  # R13
    async with rig(upstream={"idle_timeout": 0.2}) as it:
        it.sim.inject(HangFault(after="delta"), "a")
        assert (await it.post()).cut
        await until(lambda: it.sim.truth("a").cancelled == 1)


def test_the_table_of_faults_covers_every_kind():
    kinds = {type(fault) for fault in (*UNSEEN.values(), *ONLY_IN_STREAMS.values())}
    assert {CutFault, EndFault, ErrorEventFault, GarbageFault, HangFault, QuotaFault} <= kinds

"""Failover: what one account answers badly is unseen by the client, and blames what it must (R1-R8)."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest

from maxpool.sim import faults
from maxpool.sim.faults import (
    CutFault,
    EndFault,
    ErrorEventFault,
    GarbageFault,
    HangFault,
    HeaderFault,
    QuotaFault,
)
from maxpool.sim.plans import SimSettings
from tests.adapters.peers import peer
from tests.rig import CLAUDE_CODE, MODEL, ask, key, plan, request_bytes, rig, until

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
QUICK = {"header_timeout_stream": 0.3, "header_timeout_json": 0.3, "idle_timeout": 0.3}


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
@pytest.mark.parametrize("fault", UNSEEN.values(), ids=UNSEEN.keys())
async def test_a_failing_account_is_unseen(fault, stream):
    async with rig(upstream=QUICK) as it:
        it.sim.inject(fault, "a", times=None)
        got = await it.post(ask(stream=stream))
        assert got.whole
        assert got.account in ("b", "c")
        assert got.fields["x-maxpool-skipped"].startswith("a:")
        assert int(got.fields["x-maxpool-attempts"]) == len(it.asked())
        await until(it.idle)


@pytest.mark.parametrize("fault", ONLY_IN_STREAMS.values(), ids=ONLY_IN_STREAMS.keys())
async def test_a_stream_that_fails_before_content_is_unseen(fault):
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
async def test_each_failure_has_its_own_effect_and_on_one_account_only(fault, state, reason):
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


async def test_a_bad_request_passes_with_its_bytes_untouched_and_is_asked_once():
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
async def test_what_belongs_to_the_request_blames_nobody_and_is_asked_once(status):
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


async def test_a_refusal_of_the_model_is_an_answer():
    async with rig() as it:
        got = await it.post(ask("please refuse this", stream=False))
        assert (got.status, got.json["stop_reason"], it.asked()) == (200, "refusal", ["a"])


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
async def test_a_cut_inside_a_block_breaks_the_connection(rst):
    async with rig() as it:
        it.sim.inject(CutFault(after="delta", rst=rst), "a")
        got = await it.post()
        assert (got.status, got.cut, it.asked()) == (200, True, ["a"])
        assert "message_stop" not in got.events
        assert "error" not in got.events
        await until(it.idle)
        assert (await it.state("a"))["state"] == "ready"


async def test_a_cut_between_blocks_ends_with_an_overloaded_event():
    async with rig() as it:
        it.sim.inject(CutFault(after="block"), "a")
        got = await it.post()
        assert not got.cut
        assert got.events[-2:] == ["content_block_stop", "error"]
        assert b'"overloaded_error"' in got.body
        await until(it.idle)


async def test_a_clean_but_early_end_inside_a_block_breaks_the_connection():
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


async def test_idleness_in_the_middle_is_a_visible_cut():
    async with rig(upstream={"idle_timeout": 0.2}) as it:
        it.sim.inject(HangFault(after="delta"), "a")
        assert (await it.post()).cut
        await until(lambda: it.sim.truth("a").cancelled == 1)


# -- bytes -----------------------------------------------------------------------------------------


ODD_STREAM = (
    b": first a comment\r\n\r\n"
    b'event: message_start\r\ndata: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":3}}}\r\n\r\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,\ndata: "delta":{"type":"text_delta","text":"d\xc3\xa9j\xc3\xa0 \xf0\x9f\x8e\x89"}}\n\n'
    b"event: something_new\rid: 7\rdata: {}\r\r"
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n\n'
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 5000])
async def test_a_stream_reaches_the_client_byte_for_byte_however_it_is_split(size):
    async def script(one, reader, writer):
        await one.request(reader)
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for at in range(0, len(ODD_STREAM), size):
            part = ODD_STREAM[at : at + size]
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async with (
        peer(script) as one,
        rig(key("a"), entries={"a": {"base_url": one.url}}) as it,
    ):
        got = await it.post()
        assert (got.body, got.cut) == (ODD_STREAM, False)
        total = (await it.state("a"))["total"]
        assert (total["tokens_in"], total["tokens_out"]) == (3, 9)


async def test_a_gzipped_stream_passes_as_it_came():
    async with rig(key("a"), sim=SimSettings(gzip=True)) as it:
        got = await it.post(headers={"accept-encoding": "gzip, br"})
        assert got.fields["content-encoding"] == "gzip"
        text = zlib.decompress(got.body, 31)
        assert text.endswith(b'{"type":"message_stop"}\n\n')
        plain = await it.post()
        assert "content-encoding" not in plain.fields
        assert (await it.state("a"))["total"]["tokens_out"] > 0


async def test_tokens_are_counted_once():
    async with rig(key("a")) as it:
        for stream in (True, False, True):
            assert (await it.post(ask("count me", stream=stream))).whole
        used, told = it.sim.truth("a").usage, (await it.state("a"))["total"]
        assert (told["tokens_in"], told["tokens_out"]) == (used.input, used.output)
        assert told["requests"] == 3


async def test_counting_tokens_is_no_usage_and_no_account_makes_an_estimate():
    async with rig(key("a")) as it:
        counted = await it.post(ask(stream=False), "/v1/messages/count_tokens")
        assert counted.json == {"input_tokens": counted.json["input_tokens"]}
        assert (await it.state("a"))["total"]["tokens_in"] == 0
        everything = lambda seen: True  # noqa: E731
        it.sim.inject(faults.unauthorized(), None, times=None, when=everything)
        guessed = await it.post(ask(stream=False), "/v1/messages/count_tokens")
        assert guessed.status == 200
        assert guessed.json["input_tokens"] > 0


async def test_the_body_is_forwarded_as_it_came():
    odd = (
        b' { "stream" : false,"max_tokens":  9 , "model": "%s", "x": 1.0e0,\n "messages":[{"role":"user","content":"a\\/b"}] }  '
        % MODEL.encode()
    )
    async with rig(key("a")) as it:
        assert (await it.post(odd)).whole
        assert it.sim.requests[-1].body == odd


async def test_a_compressed_body_is_forwarded_as_it_came():
    packed = gzip.compress(ask(stream=False))
    async with rig(key("a")) as it:
        assert (await it.post(packed, headers={"content-encoding": "gzip"})).whole
        assert it.sim.requests[-1].body == packed
        assert it.sim.requests[-1].header("content-encoding") == "gzip"


async def test_a_model_map_renames_the_body_for_its_own_account_only():
    entries = {"a": {"models": {"claude-*": "claude-haiku-5-5"}}}
    async with rig(key("a"), key("b"), entries=entries) as it:
        assert (await it.post(ask(stream=False, x=[1.50]))).whole
        there = it.sim.requests[-1]
        assert (there.account, there.model) == ("a", "claude-haiku-5-5")
        assert b"[1.5]" in there.body or b"[1.50]" in there.body
        it.sim.inject(faults.status(500), "a", times=None)
        body = ask(stream=False)
        assert (await it.post(body)).account == "b"
        assert it.sim.requests[-1].body == body


async def test_a_missing_model_is_known_by_the_callers_name():
    entries = {"a": {"models": {"claude-*": "made-up-model"}}}
    async with rig(key("a"), key("b"), entries=entries) as it:
        for _ in range(2):
            assert (await it.post()).account == "b"
        assert it.asked() == ["a", "b", "b"]


async def test_a_renamed_body_over_8_mb_once_decoded_still_passes():
    body = ask("long " * 2_000_000, stream=False)
    packed = gzip.compress(body, 1)
    entries = {"a": {"models": {"claude-*": MODEL + "x", MODEL: "claude-haiku-5-5"}}}
    async with rig(key("a", capacity_tokens=1e9), entries=entries) as it:
        got = await it.post(packed, headers={"content-encoding": "gzip"})
        assert got.whole, got.body[:300]
        assert it.sim.requests[-1].model == "claude-haiku-5-5"


# -- headers ---------------------------------------------------------------------------------------

STAYS_HERE = {
    "x-maxpool-session": "s1",
    "x-maxpool-key": "mine",
    "cookie": "a=b",
    "referer": "http://127.0.0.1/",
    "forwarded": "for=1.2.3.4",
    "x-forwarded-for": "1.2.3.4",
    "x-forwarded-host": "h",
    "x-real-ip": "1.2.3.4",
    "te": "trailers",
    "proxy-authorization": "Basic eDp5",
    "x-api-key": "the-clients-own-key",
    "x-once": "1",
    "connection": "keep-alive, x-once",
}


async def test_what_stays_here_never_goes_upstream():
    async with rig() as it:
        wire = await it.connect()
        await wire.send(request_bytes(**STAYS_HERE, authorization="Bearer mine"))
        assert (await wire.until(b"message_stop")).startswith(b"HTTP/1.1 200 ")
        wire.close()
        seen = it.sim.requests[-1]
        names = {name.decode().lower() for name, _ in seen.headers}
        assert names & STAYS_HERE.keys() == {"x-api-key"}
        assert seen.header("x-api-key") == "sk-ant-api03-secret-of-a-0123456789"
        assert b"mine" not in b"".join(value for _, value in seen.headers)
        assert "authorization" not in names


async def test_versions_and_betas_pass_and_only_an_oauth_bearer_adds_its_own():
    sent = {
        **CLAUDE_CODE,
        "anthropic-version": "2026-10-21",
        "anthropic-beta": "effort-2025-11-24, context-management-2025-06-27",
        "anthropic-dangerous-direct-browser-access": "true",
    }
    for person, betas in (
        (key("k"), sent["anthropic-beta"]),
        (plan("p"), sent["anthropic-beta"] + ",oauth-2025-04-20"),
    ):
        async with rig(person) as it:
            assert (await it.post(headers=sent, path="/v1/messages?beta=true")).whole
            seen = it.sim.requests[-1]
            assert seen.query == "beta=true"
            assert seen.header("anthropic-version") == "2026-10-21"
            assert seen.header("anthropic-beta") == betas
            assert seen.header("anthropic-dangerous-direct-browser-access") == "true"
            assert (seen.header("authorization") is not None) == (person.plan != "api")


async def test_the_answers_headers_say_who_served_at_which_price():
    async with rig() as it:
        it.sim.inject(faults.status(500), "a")
        for stream in (True, False):
            got = await it.post(ask(stream=stream))
            fields = got.fields
            assert fields["x-request-id"] != fields["request-id"]
            assert 0.0 <= float(fields["x-maxpool-overhead-ms"]) < 1000.0
        it.sim.inject(faults.status(500), "a")
        second = (await it.post()).fields
        assert (second["x-maxpool-attempts"], second["x-maxpool-skipped"]) == (
            "2",
            "a:transient_failure",
        )


async def test_the_overhead_is_our_own_time_not_the_upstreams():
    settings = SimSettings(time_to_first_token_s=0.3)
    async with rig(key("a"), key("b"), sim=settings, limits={"backoff_s": (0.2, 0.2)}) as it:
        it.sim.inject(faults.status(500), "a")
        it.sim.inject(CutFault(after=2), "b")
        got = await it.post()
        assert got.whole
        assert float(got.fields["x-maxpool-overhead-ms"]) < 100.0


async def test_the_account_is_named_only_where_the_owner_wants_it():
    async with rig(server={"show_account": False}) as it:
        assert (await it.post()).account is None


async def test_the_pools_limits_stand_in_for_one_accounts():
    people = (plan("p", used_5h=0.6, used_7d=0.2), plan("q", used_5h=0.2, used_7d=0.2))
    async with rig(*people) as it:
        for _ in range(2):
            got = await it.post(headers={**CLAUDE_CODE, "x-claude-code-session-id": f"s{_}"})
        limits = {n: v for n, v in got.fields.items() if n.startswith("anthropic-ratelimit-")}
        assert limits["anthropic-ratelimit-unified-status"] == "allowed"
        assert 0.1 < float(limits["anthropic-ratelimit-unified-5h-utilization"]) < 0.7
        assert "anthropic-ratelimit-unified-representative-claim" not in limits
    async with rig(key("a")) as it:
        names = (await it.post()).fields
        assert not [n for n in names if n.startswith("anthropic-ratelimit-")]


async def test_hostile_upstream_headers_do_not_reach_the_client():
    odd = (
        ("set-cookie", "a=b"),
        ("access-control-allow-origin", "*"),
        ("x-maxpool-account", "somebody"),
        ("alt-svc", 'h3=":443"'),
    )
    async with rig() as it:
        it.sim.inject(HeaderFault(headers=odd), "a")
        got = await it.post()
        assert got.account == "a"
        assert not {"set-cookie", "access-control-allow-origin", "alt-svc"} & got.fields.keys()


# -- limits of the body ----------------------------------------------------------------------------


async def test_a_body_over_the_limit_is_a_413_whether_announced_or_not():
    async with rig(server={"max_body": 100_000}) as it:
        got = await it.post(ask("x" * 100_000))
        assert got.error == (413, "request_too_large")
        assert got.fields["x-should-retry"] == "false"
        wire = await it.connect()
        head = b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        await wire.send(head + b"186a1\r\n" + b"x" * 100_001 + b"\r\n0\r\n\r\n")
        assert (await wire.until(b"request_too_large")).startswith(b"HTTP/1.1 413 ")
        wire.close()
        assert not it.asked()


async def test_a_small_body_that_decodes_to_too_much_is_a_413():
    async with rig(server={"max_body_decoded": 1_000_000}) as it:
        bomb = gzip.compress(ask("x" * 2_000_000))
        got = await it.post(bomb, headers={"content-encoding": "gzip"})
        assert got.error == (413, "request_too_large")
        assert not it.asked()


@pytest.mark.slow
async def test_thirty_megabytes_pass():
    async with rig(key("a", capacity_tokens=1e9)) as it:
        body = ask("x" * (30 << 20), stream=False)
        assert (await it.post(body)).whole
        assert it.sim.requests[-1].body == body


def test_the_table_of_faults_covers_every_kind():
    kinds = {type(fault) for fault in (*UNSEEN.values(), *ONLY_IN_STREAMS.values())}
    assert {CutFault, EndFault, ErrorEventFault, GarbageFault, HangFault, QuotaFault} <= kinds

"""What passes unchanged: bytes, bodies, headers, and the little that is changed (R1, R17, R18, R20, R22)."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest

from maxpool.sim import faults
from maxpool.sim.faults import CutFault, HeaderFault
from maxpool.sim.plans import SimSettings
from tests.adapters.peers import peer
from tests.rig import CLAUDE_CODE, MODEL, ask, key, plan, request_bytes, rig

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
async def test_a_stream_reaches_the_client_byte_for_byte_however_it_is_split(size):  # R1
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


async def test_tokens_are_counted_once():  # R17
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


async def test_the_body_is_forwarded_as_it_came():  # R18
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


@pytest.mark.parametrize("stream", [True, False])
async def test_a_renamed_answer_shows_the_name_that_was_asked_for(stream):  # P1
    entries = {"a": {"models": {"claude-*": "claude-haiku-5-5"}}}
    async with rig(key("a"), entries=entries, sim=SimSettings(gzip=True)) as it:
        got = await it.post(ask(stream=stream), headers={"accept-encoding": "gzip"})
        assert got.whole
        assert b"claude-haiku-5-5" not in got.body
        assert b'"model":"%s"' % MODEL.encode() in got.body
        assert got.fields["x-maxpool-model"] == "claude-haiku-5-5"
        assert it.sim.requests[-1].header("accept-encoding") == "identity"


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


async def test_what_stays_here_never_goes_upstream():  # R22
    async with rig() as it:
        wire = await it.connect()
        await wire.send(request_bytes(ask(), authorization="Bearer mine", **STAYS_HERE))
        assert (await wire.until(b"message_stop")).startswith(b"HTTP/1.1 200 ")
        wire.close()
        seen = it.sim.requests[-1]
        names = {name.decode().lower() for name, _ in seen.headers}
        assert names & STAYS_HERE.keys() == {"x-api-key"}
        assert seen.header("x-api-key") == "sk-ant-api03-secret-of-a-0123456789"
        assert b"mine" not in b"".join(value for _, value in seen.headers)
        assert "authorization" not in names


async def test_versions_and_betas_pass_and_only_an_oauth_bearer_adds_its_own():  # R20
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
            fields = (await it.post(ask(stream=stream))).fields
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
        await it.post(headers={**CLAUDE_CODE, "x-claude-code-session-id": "s1"})
        got = await it.post(headers={**CLAUDE_CODE, "x-claude-code-session-id": "s2"})
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


async def test_a_body_over_the_limit_is_a_413_whether_announced_or_not():  # R18
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

"""What an owner says of one account, seen from the upstream and from the client."""

from __future__ import annotations

import json
from typing import Any

import pytest

from maxpool import Command
from maxpool.sim import faults
from maxpool.sim.faults import QuotaFault
from tests.adapters.peers import peer, replying
from tests.rig import MODEL, Rig, ask, key, rig

OTHER = "claude-opus-5-5"


def sent(it: Rig, at: int = -1) -> dict[str, str]:
    return {n.decode().lower(): v.decode() for n, v in it.sim.requests[at].headers}


def asked_for(it: Rig) -> str:
    return str(json.loads(it.sim.requests[-1].body)["model"])


def disable_first(it: Rig) -> None:
    """Its owner switches the first account off."""
    pool = it.proxy.pool
    pool.command(Command("disable", next(iter(pool.states))), it.proxy.clock.now())


async def test_a_fixed_model_serves_every_name_and_is_what_the_upstream_is_asked_for():
    async with rig(key("a", models=("*",)), entries={"a": {"model": OTHER}}) as it:
        for name in (MODEL, "anything-else", OTHER):
            assert (await it.post(ask(model=name))).whole
            assert asked_for(it) == OTHER
        assert [m["id"] for m in (await it.get("/v1/models")).json["data"]] == [OTHER]


async def test_a_model_map_serves_what_it_names_and_nothing_else():
    async with rig(key("a", models=("*",)), entries={"a": {"models": {MODEL: OTHER}}}) as it:
        assert (await it.post()).whole
        assert asked_for(it) == OTHER
        got = await it.post(ask(model=OTHER))
        assert got.error == (404, "not_found_error")


async def test_everything_but_the_model_keeps_its_bytes_under_a_fixed_model():
    odd = b'{ "model" : "x",  "max_tokens":9, "messages":[{"role":"user","content":"\\u00e9"}] }'
    async with rig(key("a", models=("*",)), entries={"a": {"model": MODEL}}) as it:
        assert (await it.post(odd)).status == 200
        assert b'"messages":[{"role":"user","content":"\\u00e9"}]' in it.sim.requests[-1].body


@pytest.mark.parametrize(
    ("mode", "name", "value"),
    [
        ("bearer", "authorization", f"Bearer {key('a').secret}"),
        ("Bearer", "authorization", f"Bearer {key('a').secret}"),
        ("x-api-key", "x-api-key", key("a").secret),
        ("X-Team-Key", "x-team-key", key("a").secret),
    ],
)
async def test_the_secret_goes_where_the_account_says(mode, name, value):
    async with rig(key("a"), entries={"a": {"auth_header": mode}}) as it:
        await it.post(headers={"authorization": "Bearer mine", "x-api-key": "mine"})
        seen = sent(it)
        assert seen[name] == value
        carried = {"authorization", "x-api-key", "x-team-key"} & seen.keys()
        assert carried == {name}
        assert "mine" not in str(seen)


async def test_betas_are_stripped_and_static_headers_added_for_that_account_only():
    own = {"strip_beta_headers": ["b-2"], "headers": {"X-Team": "blue", "user-agent": "ours"}}
    async with rig(key("a"), key("b"), entries={"a": own}) as it:
        headers = {"anthropic-beta": "a-1,b-2", "x-team": "red", "user-agent": "mine"}
        assert (await it.post(headers=headers)).account == "a"
        seen = sent(it)
        assert (seen["anthropic-beta"], seen["x-team"], seen["user-agent"]) == (
            "a-1",
            "blue",
            "ours",
        )
        disable_first(it)
        assert (await it.post(headers=headers)).account == "b"
        assert (sent(it)["anthropic-beta"], sent(it)["x-team"]) == ("a-1,b-2", "red")


@pytest.mark.parametrize(
    ("headers", "stream", "least", "most"),
    [
        ({}, True, 90_000, 90_000),
        ({}, False, 270_000, 270_000),
        ({"x-stainless-timeout": "30"}, True, 20_000, 30_000),
        ({"x-left-ms": "4000"}, True, 1, 4_000),
    ],
)
async def test_an_upstream_is_told_the_milliseconds_left(headers, stream, least, most):
    async with rig(key("a"), key("b"), entries={"a": {"deadline_header": "X-Left-Ms"}}) as it:
        await it.post(ask(stream=stream), headers=headers)
        assert least <= int(sent(it)["x-left-ms"]) <= most
    async with rig(key("a")) as it:
        await it.post()
        assert "x-left-ms" not in sent(it)


async def test_an_account_with_profiles_serves_only_requests_that_name_one():
    async with rig(key("a"), key("b"), entries={"a": {"profiles": ["batch"]}}) as it:
        assert (await it.post()).account == "b"
        assert (await it.post(headers={"x-maxpool-profile": "batch"})).account == "a"
        assert (await it.post(headers={"x-maxpool-profile": "other"})).account == "b"
    async with rig(key("a"), entries={"a": {"profiles": ["batch"]}}) as it:
        assert (await it.post()).error == (403, "permission_error")


async def test_a_lower_tier_goes_first_within_one_priority():
    same = {"priority": 0}
    entries = {"a": {**same, "tier": 2}, "b": {**same, "tier": 1}, "c": {**same, "tier": 2}}
    async with rig(entries=entries) as it:
        assert [(await it.post()).account for _ in range(3)] == ["b", "b", "b"]


async def test_weight_is_how_much_an_account_carries_at_once():
    async with rig(key("a"), key("b"), entries={"a": {"weight": 2.0}}) as it:
        limits = {n: (await it.state(n))["soft_limit"] for n in "ab"}
        assert limits["a"] == 2 * limits["b"]


# -- cost and events of the upstream's own ----------------------------------------------------------

EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("message_start", {"message": {"id": "msg_1", "usage": {"input_tokens": 7}}}),
    ("x.debug", {"shard": 7}),
    ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
    ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "é"}}),
    ("content_block_stop", {"index": 0}),
    ("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"cost": 0.5}}),
    ("message_stop", {}),
    ("settlement", {"cost_usd": 0.75}),
]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-cost: 0.25\r\nconnection: close\r\n\r\n"


def wire(*names: str) -> bytes:
    """The upstream's events, without those of these names."""
    return b"".join(
        f"event: {name}\ndata: {json.dumps({'type': name} | data)}\n\n".encode()
        for name, data in EVENTS
        if name not in names
    )


@pytest.mark.parametrize(
    ("own", "gone", "cost"),
    [
        ({}, (), 0.5),
        ({"cost_header": "X-Cost"}, (), 0.5),
        ({"cost_event": "settlement"}, (), 0.75),
        ({"strip_events": ["settlement", "x.debug"]}, ("settlement", "x.debug"), 0.5),
        (
            {"strip_events": ["settlement"], "cost_event": "settlement"},
            ("settlement",),
            0.75,
        ),
    ],
)
async def test_an_upstreams_own_figure_is_counted_and_its_own_events_stay_here(own, gone, cost):
    async with (
        peer(replying(HEAD + wire(), then_close=True)) as odd,
        rig(key("a"), entries={"a": {"base_url": odd.url, **own}}) as it,
    ):
        got = await it.post()
        assert (got.status, got.body) == (200, wire(*gone))
        shown = await it.state("a")
        for span in ("total", "last_hour"):
            assert (shown[span]["cost_usd"], shown[span]["told_usd"]) == (cost, cost)
        asked = b"accept-encoding: identity" in odd.heads[0].lower()
        assert asked or not gone


async def test_a_cost_header_counts_where_the_answer_tells_none():
    body = b'{"type":"message","usage":{"input_tokens":3}}'
    reply = HEAD.replace(b"text/event-stream", b"application/json") + body
    own = {"cost_header": "x-cost", "provider": "elsewhere"}
    async with (
        peer(replying(reply, then_close=True)) as odd,
        rig(key("a"), entries={"a": {"base_url": odd.url, **own}}) as it,
    ):
        assert (await it.post(ask(stream=False))).body == body
        assert (await it.state("a"))["total"]["cost_usd"] == 0.25


async def test_without_a_figure_a_key_is_estimated_and_a_stranger_is_unpriced():
    async with rig(key("a"), key("b"), entries={"a": {"provider": "elsewhere"}}) as it:
        await it.post()
        disable_first(it)
        await it.post()
        totals = [(await it.state(n))["total"] for n in "ab"]
        assert [t["unpriced"] for t in totals] == [1, 0]
        assert totals[0]["cost_usd"] == 0.0 < totals[1]["cost_usd"]


async def test_a_refusal_tells_programs_and_the_status_how_many_accounts_have_which_reason():
    entries = {"c": {"enabled": False}}
    async with rig(entries=entries) as it:
        it.sim.inject(QuotaFault(window="5h", resets_in_s=7200.0), None, times=None)
        got = await it.post()
        assert got.error == (429, "rate_limit_error")
        assert got.json["maxpool"]["reason"] == "quota"
        assert got.json["maxpool"]["unavailable"] == {"quota": 2, "disabled": 1}
        (kept,) = (await it.status())["refusals"]
        assert kept["unavailable"] == {"quota": 2, "disabled": 1}
        assert (kept["request_id"], kept["model"]) == (got.fields["x-request-id"], MODEL)


async def test_the_status_shows_what_an_account_answered_last():
    async with rig() as it:
        it.sim.inject(faults.status(503), "a")
        assert (await it.post()).account == "b"
        assert [(await it.state(n))["last_status"] for n in "abc"] == [503, 200, None]


async def test_a_pool_of_disabled_accounts_is_not_ready():  # S23
    async with rig(key("a"), key("b"), entries={"a": {"enabled": False}}) as it:
        assert (await it.get("/readyz")).json == {"ready": True, "accounts_ready": 1}
    async with rig(key("a"), entries={"a": {"enabled": False}}) as it:
        got = await it.get("/readyz")
        assert (got.status, got.json["accounts_ready"]) == (503, 0)


async def test_our_own_exception_is_a_500_and_changes_no_account(monkeypatch):  # S24
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("ours")

    async with rig() as it:
        before = await it.state("a")
        monkeypatch.setattr("maxpool.service.judging.classify", broken)
        it.sim.inject(faults.status(500), "a")
        got = await it.post()
        assert got.error == (500, "api_error")
        seen = {"last_status", "last_status_at", "sessions"}  # it was asked, and it did answer
        after = await it.state("a")
        assert {k: after[k] for k in after.keys() - seen} == {
            k: before[k] for k in before.keys() - seen
        }

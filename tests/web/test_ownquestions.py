"""What clients ask about usage and profile."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from maxpool.sim import faults
from tests.rig import CLAUDE_CODE, JSON, ask, key, plan, rig

MINE = plan("mine")
KEY = key("paid")
USAGE, PROFILE = "/api/oauth/usage", "/api/oauth/profile"
FIRST: dict[str, Any] = {"pool": {"client_login": "first"}, "visitors": (MINE,)}
SIGNED_IN = {
    "user-agent": "claude-code/2.1.329",
    "anthropic-beta": "oauth-2025-04-20",
    "authorization": f"Bearer {MINE.secret}",
}


async def test_usage_is_the_pools_own_weighted_by_capacity():
    async with rig(plan("a"), plan("b")) as it:
        it.sim.set_used("a", used_5h=0.25, used_7d=0.5)
        assert (await it.post(headers=CLAUDE_CODE)).whole
        told = (await it.get(USAGE)).json
        assert told["five_hour"]["utilization"] == pytest.approx(25, abs=2)
        assert told["seven_day"]["resets_at"].endswith("Z")
        assert {limit["kind"] for limit in told["limits"]} == {"session", "weekly_all"}
        assert all(seen.path != USAGE for seen in it.sim.requests)


async def test_a_pool_of_keys_tells_no_windows_and_a_profile_of_nobody():
    async with rig(KEY) as it:
        assert (await it.get(USAGE)).json["five_hour"] is None
        told = await it.get(PROFILE)
        assert told.json["account"]["display_name"] == "maxpool"
        assert told.fields["cache-control"] == "no-store"
        assert not it.sim.requests


@pytest.mark.parametrize("path", [USAGE, PROFILE])
async def test_under_its_own_login_a_client_gets_its_providers_answer_untouched(path):  # X5
    async with rig(KEY, **FIRST) as it:
        it.sim.set_used("mine", used_5h=0.75)
        got = await it.get(path, SIGNED_IN)
        seen = it.sim.requests[-1]
        assert (seen.account, seen.path, seen.header("authorization")) == (
            "mine",
            path,
            SIGNED_IN["authorization"],
        )
        told = got.json
        assert told.get("five_hour", {"utilization": 75.0})["utilization"] == 75.0
        assert told.get("account", {"display_name": "mine"})["display_name"] == "mine"


async def test_a_refused_question_is_told_and_says_nothing_of_the_account():
    async with rig(KEY, **FIRST) as it:
        headers = {**CLAUDE_CODE, **SIGNED_IN, "user-agent": CLAUDE_CODE["user-agent"]}
        assert (await it.post(headers=headers)).account != "paid"
        for fault, status in ((faults.plain_forbidden(), 403), (faults.bare_429(), 429)):
            it.sim.inject(fault, "mine", when=lambda seen: seen.path == USAGE)
            assert (await it.get(USAGE, SIGNED_IN)).status == status
        assert (await it.post(headers=headers)).account != "paid"
        assert it.idle()


OTHERS = {
    "another program": {"user-agent": "curl/8.5.0"},
    "a key": {"authorization": "Bearer sk-ant-api03-x"},
}


@pytest.mark.parametrize("given", OTHERS.values(), ids=OTHERS)
async def test_any_others_bearer_stays_here(given):
    async with rig(KEY, **FIRST) as it:
        assert (await it.get(USAGE, {**SIGNED_IN, **given})).json["five_hour"] is None
        assert not it.sim.requests


async def test_where_own_logins_do_not_count_the_pool_answers():
    async with rig(KEY, visitors=(MINE,)) as it:
        assert (await it.get(PROFILE, SIGNED_IN)).json["account"]["display_name"] == "maxpool"
        assert not it.sim.requests


async def test_a_provider_that_cannot_be_reached_or_leads_elsewhere_is_a_502():
    async with rig(KEY, **FIRST) as it:
        it.sim.inject(faults.redirect(), "mine", when=lambda _: True)
        assert (await it.get(USAGE, SIGNED_IN)).error == (502, "api_error")
        await it.upstream.stop(0.0)
        assert (await it.get(USAGE, SIGNED_IN)).error == (502, "api_error")


async def test_they_are_guarded_as_every_other_route_and_take_no_post():  # X1, X2
    keys = [{"name": "laptop", "sha256": hashlib.sha256(b"k").hexdigest()}]
    async with rig(KEY, server={"require_key": True}, client_keys=keys, **FIRST) as it:
        for path in (USAGE, PROFILE):
            assert (await it.get(path, SIGNED_IN)).status == 401
            assert (await it.get(path, SIGNED_IN | {"x-maxpool-key": "k"})).status == 200
            told = {"x-api-key": "k", "origin": "https://evil.example"}
            assert (await it.get(path, told)).status == 403
            posted = await it.send("POST", path, {**JSON, "x-api-key": "k"}, ask())
            assert posted.error == (405, "invalid_request_error")

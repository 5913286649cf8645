"""Limits and budgets of the owner's own, over the real proxy."""

from __future__ import annotations

import hashlib

from maxpool.sim import faults
from tests.rig import ask, key, rig

NO_WAIT = {"x-maxpool-max-wait": "0"}
CI = "the-key-of-ci"
KEYS = [{"name": "ci", "sha256": hashlib.sha256(CI.encode()).hexdigest(), "rpm": 1}]


async def test_a_failed_call_counts_and_the_next_account_is_asked_before_any_call():  # P4
    entries = {"a": {"limits": ["1/hour"]}, "b": {"priority": 1, "limits": ["2/hour"]}}
    async with rig(key("a"), key("b"), entries=entries) as it:
        it.sim.inject(faults.status(400), "a")
        assert (await it.post(headers=NO_WAIT)).status == 400
        for _ in range(2):
            assert (await it.post(headers=NO_WAIT)).account == "b"
        refused = await it.post(headers=NO_WAIT)
        assert refused.error == (429, "rate_limit_error")
        assert "rate bucket" in refused.json["error"]["message"]
        assert len(it.sim.requests) == 3, "nothing was sent for the refused one"


async def test_each_send_of_a_request_counts():  # P4
    async with rig(key("a"), entries={"a": {"limits": ["2/day"]}}) as it:
        it.sim.inject(faults.overloaded(), "a")
        assert (await it.post()).status == 200
        shown = (await it.state("a"))["limits"]
        assert [(one["used"], one["exhausted"]) for one in shown] == [(2, True)]


async def test_a_client_key_at_its_limit_is_told_when_and_others_are_served():
    async with rig(key("a"), client_keys=KEYS) as it:
        mine = {**NO_WAIT, "x-maxpool-key": CI}
        assert (await it.post(headers=mine)).status == 200
        refused = await it.post(headers=mine)
        assert refused.error == (429, "rate_limit_error")
        assert 0 < refused.json["maxpool"]["retry_at"] - it.proxy.clock.now() <= 62
        assert (await it.post(headers=NO_WAIT)).status == 200


async def test_what_an_answer_cost_is_taken_from_the_balance_and_shown():
    prices = {"*": {"input": 1000.0, "output": 1000.0}}
    entries = {"a": {"balance_usd": 0.001}}
    async with rig(key("a"), entries=entries, prices=prices) as it:
        assert (await it.post(ask(), headers=NO_WAIT)).status == 200
        state = await it.state("a")
        assert state["balance"]["spent_usd"] == state["total"]["cost_usd"] > 0.001
        assert state["unavailable"]["reason"] == "budget"
        refused = await it.post(headers=NO_WAIT)
        assert refused.error == (429, "rate_limit_error")
        assert "budget" in refused.json["error"]["message"]

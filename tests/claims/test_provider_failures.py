"""What other vendors' errors do, over a real server: their own fault matrix, and what it means for a request."""

from __future__ import annotations

import pytest

from maxpool.sim import faults
from tests.faults.play import play
from tests.faults.provider_lines import FORBIDDEN, NO_MONEY, PROVIDER_LINES, TOO_LONG, abroad
from tests.rig import CLAUDE_CODE, ask, key, rig, vendor

CASES = [
    pytest.param(
        line,
        form,
        id=f"{line.happens}-{form}",
        marks=[pytest.mark.slow] if form == "json" else [],
    )
    for line in PROVIDER_LINES
    for form in line.forms
]


@pytest.mark.parametrize(("line", "form"), CASES)
async def test_every_fault_of_a_vendor_ends_as_its_matrix_says(line, form):  # P3, P7, R5, R7
    assert await play(line, form, vendor) == line.end_of(form)


@pytest.mark.parametrize(("line", "form"), CASES)
async def test_every_fault_ends_alike_where_the_vendor_speaks_another_api(line, form):  # P3, P7, R7
    other = abroad(line)
    assert await play(other, form, vendor) == other.end_of(form)


async def test_what_is_too_long_for_one_vendor_goes_to_a_larger_model_and_blames_nobody():  # P3
    entries = {"b": {"context": {"*": 8_000}}, "a": {"context": {"*": 8_000}}}
    async with rig(*map(vendor, "abc"), entries=entries | {"c": {"priority": 9}}) as it:
        it.sim.inject(TOO_LONG, "a", None)
        got = await it.post(ask())
        assert (got.whole, got.account, it.asked()) == (True, "c", ["a", "c"])
        assert got.fields["x-maxpool-skipped"] == "a:context_exceeded"
        state = await it.state("a")
        assert (state["state"], state["last_error"]) == ("ready", None)


async def test_what_is_too_long_for_claude_is_not_asked_of_the_next_claude_account():  # P3, R5
    too_long = faults.status(400, "prompt is too long: 210000 tokens > 200000 maximum")
    async with rig(key("a"), key("b"), vendor("v"), entries={"v": {"priority": 9}}) as it:
        it.sim.inject(too_long, "a", None)
        assert (await it.post(ask())).account == "v"
        it.sim.inject(too_long, "v", None)
        got = await it.post(ask())
        assert got.error == (400, "invalid_request_error")
        assert it.asked() == ["a", "v", "a", "v"]


async def test_what_one_vendors_policy_refuses_is_asked_nowhere_else():  # P7
    async with rig(vendor("a"), key("b")) as it:
        it.sim.inject(FORBIDDEN, None, None)
        got = await it.post(ask())
        assert (got.error, it.asked()) == ((400, "invalid_request_error"), ["a"])
        assert (await it.state("a"))["state"] == "ready"


async def test_a_vendor_without_money_is_not_asked_again_by_the_request_that_heard_it():
    billing = {"failures": {"billing": {"cooldown": "1s"}}}
    async with rig(vendor("a"), entries={"a": billing}, queue={"commit_after": 60.0}) as it:
        it.sim.inject(NO_MONEY, "a", None)
        got = await it.post(ask())
        assert (got.status, it.asked()) == (429, ["a"])


async def test_the_last_error_lists_what_was_tried_with_reason_and_end():
    async with rig(vendor("a"), vendor("b")) as it:
        it.sim.inject(NO_MONEY, "a", None)
        it.sim.inject(faults.status(500), "b", None)
        got = await it.post(ask())
        tried = got.json["maxpool"]["tried"]
        assert [(one["account"], one["reason"], one["status"]) for one in tried] == [
            ("a", "billing_failure", 429),
            ("b", "transient_failure", 500),
        ]
        assert tried[0]["until"] == pytest.approx(it.proxy.clock.now() + 900, abs=30)
        assert tried[1]["until"] is None


async def test_an_owner_says_what_an_odd_error_means():
    daily = faults.status(403, "Your daily limit is reached.")
    failures = {"quota": {"status": [403], "words": ["daily limit"], "cooldown": "2h"}}
    async with rig(vendor("a"), key("b"), failures=failures) as it:
        it.sim.inject(daily, "a", None)
        assert (await it.post(ask(), headers=CLAUDE_CODE)).account == "b"
        block = (await it.state("a"))["unavailable"]
        assert block["reason"] == "rate_limited"
        assert block["until"] == pytest.approx(it.proxy.clock.now() + 7200, abs=30)


async def test_a_vendor_gets_one_key_for_all_tries_of_a_request_and_the_clients_own_if_it_has_one():
    header = {"idempotency_header": "Idempotency-Key"}
    async with rig(vendor("a"), vendor("b"), entries={"a": header, "b": header}) as it:
        it.sim.inject(faults.status(500), "a", None)
        got = await it.post(ask())
        keys = [seen.header("idempotency-key") for seen in it.sim.requests]
        assert keys == [got.fields["x-request-id"]] * 4
        await it.post(ask(), headers={"idempotency-key": "mine"})
        assert it.sim.requests[-1].header("idempotency-key") == "mine"


async def test_a_larger_model_of_the_very_same_account_may_take_it():  # P3, P1
    aliases = {"any": {"targets": ["a/small", "a/large"], "strategy": "ordered"}}
    async with rig(vendor("a", models=("small", "large")), aliases=aliases) as it:
        it.sim.inject(TOO_LONG, "a", None, when=lambda seen: seen.model == "small")
        got = await it.post(ask(model="any"))
        assert (got.whole, [seen.model for seen in it.sim.requests]) == (True, ["small", "large"])

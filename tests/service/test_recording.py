"""What is written down of a request, over the real proxy."""

from __future__ import annotations

import json

from maxpool.core.binding import session_key
from maxpool.core.lease import LeaseRequest
from maxpool.core.records import RequestRecord
from maxpool.service.recording import decision_text, digest_of
from maxpool.sim import faults
from tests.make import lease, pool
from tests.rig import MODEL, ask, key, rig, until


class Rows(list[RequestRecord]):
    """A ledger that keeps its rows in memory."""

    record = list.append


def recorded(it):
    rows = Rows()
    it.proxy.books.recorder.ledger = rows
    return rows


async def test_an_answered_request_is_one_row_with_its_tokens_cost_and_times():
    async with rig() as it:
        rows = recorded(it)
        got = await it.post(headers={"x-claude-code-session-id": "5f2c"})
        (row,) = rows
        assert row.request_id == got.fields["x-request-id"]
        assert (row.model, row.sent_model, row.kind, row.format) == (
            *(MODEL, MODEL),
            *("messages", "anthropic"),
        )
        assert (row.status, row.failed, row.outcome, row.attempts) == (200, False, "success", 1)
        assert row.tokens_in > 0
        assert row.tokens_out > 0
        assert row.cost_usd is not None
        assert row.cost_usd > 0
        assert not row.cost_told
        assert 0 < row.ttfb_ms <= row.total_ms
        assert 0 < row.overhead_ms < row.total_ms
        assert json.loads(row.decision)["strategy"] == "cost"


async def test_a_session_is_a_digest_and_never_its_name():  # O6
    async with rig() as it:
        rows = recorded(it)
        await it.post(headers={"x-claude-code-session-id": "my-secret-project"})
        (row,) = rows
        assert row.session
        assert "my-secret-project" not in repr(row)
        assert row.session == digest_of(next(iter(it.proxy.pool.bindings.by_key)))


async def test_no_word_of_a_request_or_its_answer_is_in_a_row():  # O6
    async with rig() as it:
        rows = recorded(it)
        got = await it.post(ask("the launch code is 4711"))
        assert "4711" not in repr(rows)
        assert got.whole
        assert "sk-ant" not in repr(rows)


async def test_a_request_that_moved_tells_the_last_account_and_what_was_skipped():
    async with rig() as it:
        rows = recorded(it)
        it.sim.inject(faults.status(500), "a")
        got = await it.post()
        (row,) = rows
        states = it.proxy.pool.states
        assert states[row.account].account.name == got.account == "b"
        assert (row.attempts, row.skipped, row.outcome) == (2, "a:transient_failure", "success")


async def test_a_broken_stream_has_failed_though_it_began_with_200():
    async with rig(key("a")) as it:
        rows = recorded(it)
        it.sim.inject(faults.CutFault(after="delta"), "a")
        await it.post()
        await until(lambda: rows)
        assert (rows[0].status, rows[0].failed, rows[0].outcome) == (200, True, "cut")


async def test_an_error_status_has_failed_and_has_no_tokens():
    async with rig(key("a")) as it:
        rows = recorded(it)
        it.sim.inject(faults.bad_request(), "a")
        got = await it.post()
        (row,) = rows
        assert (got.status, row.status, row.failed) == (400, 400, True)
        assert (row.outcome, row.tokens_in, row.tokens_out) == ("request_rejected", 0, 0)


async def test_a_refusal_without_a_try_tells_its_reason():
    async with rig(key("a"), queue={"max_wait": 0}) as it:
        rows = recorded(it)
        await it.admin("POST", "/accounts/a/disable", {})
        await it.post()
        (row,) = rows
        assert (row.account, row.attempts, row.failed) == ("", 0, True)
        assert row.outcome == "disabled"


async def test_counting_tokens_and_batches_are_kinds_of_their_own():
    async with rig() as it:
        rows = recorded(it)
        await it.post(path="/v1/messages/count_tokens")
        await it.get("/v1/messages/batches", {"x-api-key": "any"})
        assert {row.kind for row in rows} == {"count_tokens", "batches"}


async def test_a_ledger_that_fails_costs_no_answer(caplog):  # O4
    class Broken:
        def record(self, row):
            raise OSError("no space left")

    async with rig() as it:
        it.proxy.books.recorder.ledger = Broken()
        assert (await it.post()).whole
        assert it.proxy.books.recorder.failures == 1
    assert "could not be recorded" in caplog.text


def test_a_decision_is_told_by_the_terms_that_counted():
    told = json.loads(decision_text(lease(pool("a", "b"), session="s").decision))
    assert told["strategy"] == "cost"
    assert all(abs(term) >= 0.005 for name, term in told.items() if name != "strategy")
    assert decision_text(None) == ""


def test_sub_agents_of_a_session_have_digests_of_their_own():
    one, other = (LeaseRequest(model="m", session="s", agent=a) for a in (None, "x"))
    assert digest_of(session_key(one)) != digest_of(session_key(other))
    assert digest_of(None) == ""
    assert len(digest_of("s" * 5000)) == 16

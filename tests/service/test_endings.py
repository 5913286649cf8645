from __future__ import annotations

import json

import pytest

from maxpool.adapters.clock import SystemClock
from maxpool.core.eligibility import Reason
from maxpool.core.lease import (
    AuthFinal,
    AuthRejected,
    BillingFailure,
    Burst,
    Command,
    Forbidden,
    Garbage,
    ModelMissing,
    NetworkFailure,
    Overloaded,
    Refusal,
    RequestRejected,
    SpendLimited,
    TransientFailure,
)
from maxpool.service.downstream import Downstream
from maxpool.service.endings import Endings, pool_limits
from maxpool.service.job import Job
from maxpool.service.limits import Limits
from maxpool.service.retry import Failed, Trail
from maxpool.service.stats import Stats
from tests.make import NOW, account, ask, key, pool, unified

UPSTREAMS = b'{"type":"error","error":{"type":"x","message":"theirs"}}'


class Case:
    """The end of one request."""

    def __init__(self, *, counts=False, early=False) -> None:
        self.body, self.status, self.dropped = b"", 0, 0
        self.head: dict[bytes, bytes] = {}
        self.pool = pool(key("a"), key("b"))
        self.endings = Endings(self.pool, SystemClock(), Limits(), lambda _: 0, Stats())
        self.down = Downstream(self.send, SystemClock(), self.drop)
        self.down.started = early
        self.job = Job(
            method="POST",
            target="/",
            headers=(),
            body=b"",
            request=ask(),
            request_id="r1",
            streaming=True,
            counts_tokens=counts,
        )
        self.trail = Trail(began=NOW, tried={"a"}, sends=1)

    def drop(self) -> None:
        self.dropped += 1

    async def send(self, message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.head = message["status"], dict(message["headers"])
        else:
            self.body += message["body"]

    async def give_up(self, outcome, status=0, headers=(), body=UPSTREAMS) -> Case:
        failed = Failed(outcome, status, headers, body)
        self.trail.last = failed
        await self.endings.give_up(self.job, self.down, self.trail, failed)
        return self


@pytest.mark.parametrize("outcome", [AuthRejected(), AuthFinal("x"), Forbidden()])
async def test_a_pool_accounts_401_or_403_never_reaches_the_caller(outcome):
    case = await Case().give_up(outcome, 403)
    assert (case.status, case.head[b"x-should-retry"]) == (502, b"false")
    assert b"credential of: a." in case.body


@pytest.mark.parametrize(
    ("outcome", "status", "shown"),
    [
        (NetworkFailure("dns"), 0, 502),
        (Garbage("html"), 200, 502),
        (RequestRejected(502), 302, 502),
        (Overloaded("m"), 529, 503),
        (Overloaded("m"), 0, 503),
        (TransientFailure(500), 0, 503),
    ],
)
async def test_what_has_no_answer_of_its_own_gets_ours(outcome, status, shown):
    case = await Case().give_up(outcome, status)
    assert case.status == shown
    assert json.loads(case.body)["error"]["message"] != "theirs"
    assert case.head[b"x-request-id"] == b"r1"


@pytest.mark.parametrize(
    ("outcome", "status"),
    [(RequestRejected(400), 400), (TransientFailure(500), 500), (ModelMissing("m"), 404)],
)
async def test_what_the_upstream_said_is_passed_on_as_it_came(outcome, status):
    case = await Case().give_up(outcome, status, [(b"Content-Length", b"9"), (b"A", b"b")])
    assert (case.status, case.body, case.head[b"A"]) == (status, UPSTREAMS, b"b")
    assert case.head[b"content-length"] == b"%d" % len(UPSTREAMS)


async def test_what_is_passed_on_bears_this_servers_own_number_of_the_request():
    headers = ((b"X-Request-Id", b"theirs"), (b"request-id", b"req_1"))
    case = await Case().give_up(RequestRejected(400), 400, headers)
    assert case.head == case.head | {b"x-request-id": b"r1", b"request-id": b"req_1"}
    assert b"X-Request-Id" not in case.head


@pytest.mark.parametrize(
    ("wait", "kept"), [(b"60", True), (b"61", False), (b"Fri, 1 Jan", False), (b"9" * 5000, False)]
)
async def test_an_accounts_long_retry_after_is_not_passed_on(wait, kept):
    headers = [(b"retry-after", wait), (b"x-should-retry", b"true")]
    case = await Case().give_up(Burst(1.0), 429, headers)
    assert (b"retry-after" in case.head) is kept
    assert case.head[b"x-should-retry"] == (b"true" if kept else b"false")


async def test_after_early_headers_only_the_callers_own_fault_is_told_in_full():
    case = await Case(early=True).give_up(RequestRejected(400), 400, body=b'{\n"type":"error"}')
    assert case.body == b'event: error\ndata: { "type":"error"}\n\n'
    case = await Case(early=True).give_up(TransientFailure(500), 500)
    assert b'"overloaded_error"' in case.body
    assert b"theirs" not in case.body


async def test_giving_up_after_early_headers_names_the_cause_the_accounts_and_the_time():  # Q3
    case = Case(early=True)
    for state in case.pool.states.values():
        state.cool(Reason.RATE_LIMITED, NOW + 1e9)
    counts = {"rate_limited": 2}
    refusal = Refusal(Reason.RATE_LIMITED, case.endings.clock.now() + 90, "", counts)
    await case.endings.refuse(case.job, case.down, case.trail, refusal)
    assert b'"overloaded_error"' in case.body
    assert b"every account is at its rate limit (a, b)" in case.body
    assert b"Next try about" in case.body


@pytest.mark.parametrize("outcome", [RequestRejected(400), TransientFailure(500)])
async def test_giving_up_after_promised_json_closes_the_connection(outcome):  # R16, Q3
    case = Case(early=True)
    case.down.promised = "json"
    await case.give_up(outcome, outcome.status)
    assert (case.dropped, case.body) == (1, b"")


async def test_an_account_that_was_removed_meanwhile_is_no_failure_to_tell():
    case = Case()
    case.trail.last = Failed(NetworkFailure("removed", sent=False))
    refusal = Refusal(Reason.NO_ACCOUNTS, None, "")
    await case.endings.refuse(case.job, case.down, case.trail, refusal)
    assert b"no account is configured" in case.body


@pytest.mark.parametrize(
    ("outcome", "level"),
    [
        (AuthFinal("x"), "WARNING"),
        (SpendLimited(), "WARNING"),
        (BillingFailure(), "WARNING"),
        (TransientFailure(500), "INFO"),
    ],
)
def test_what_only_a_person_can_mend_is_a_warning_in_the_log(outcome, level, caplog):
    caplog.set_level("INFO", "maxpool.request")
    case = Case()
    case.endings.note(case.job, "a", Failed(outcome, 403, (), b"never to be logged"))
    (record,) = caplog.records
    assert record.levelname == level
    assert "never" not in caplog.text


def test_what_was_skipped_is_told_in_at_most_480_characters():
    case = Case()
    case.trail.skipped = ["account-of-a-long-name:transient_failure"] * 40
    told = dict(case.endings._ours(case.job, case.trail))[b"x-maxpool-skipped"]
    assert len(told) == 480


async def test_counting_tokens_ends_in_an_estimate_unless_the_request_is_at_fault():
    case = await Case(counts=True).give_up(TransientFailure(500), 500)
    assert json.loads(case.body) == {"input_tokens": 20_000}
    assert case.head[b"x-maxpool-estimate"] == b"true"
    assert (await Case(counts=True).give_up(RequestRejected(400), 400)).status == 400


async def test_a_refusal_names_the_accounts_it_is_about_and_a_failure_tells_more_than_no_time():
    case = Case()
    await case.endings.refuse(case.job, case.down, case.trail, Refusal(Reason.TIMED_OUT, NOW, ""))
    assert case.status == 503
    case = Case()
    case.trail.last = Failed(RequestRejected(400), 400, (), UPSTREAMS)
    await case.endings.refuse(case.job, case.down, case.trail, Refusal(Reason.EXCLUDED, None, ""))
    assert case.body == UPSTREAMS


async def test_a_refusal_says_how_many_accounts_have_which_reason_and_is_remembered():
    case = Case()
    counts = {"quota": 1, "disabled": 1}
    refusal = Refusal(Reason.QUOTA, NOW + 60, "quota", counts)
    await case.endings.refuse(case.job, case.down, case.trail, refusal)
    assert json.loads(case.body)["maxpool"]["unavailable"] == counts
    assert case.endings.stats.refusals[-1].unavailable == counts


async def test_a_refusal_without_a_choice_is_counted_by_what_each_account_is():
    case = Case()
    case.pool.command(Command("disable", "b"), NOW)
    refusal = Refusal(Reason.PAUSED, None, "paused")
    await case.endings.refuse(case.job, case.down, case.trail, refusal)
    assert json.loads(case.body)["maxpool"]["unavailable"] == {"paused": 1, "disabled": 1}


def test_the_pools_limits_blend_its_plans_and_take_the_soonest_reset():
    one = pool("a", "b")
    for name, used, ahead in (("a", 0.2, 3600), ("b", 0.6, 7200)):
        one.observe(name, unified(five=used, five_reset=NOW + ahead), NOW)
    found = dict(pool_limits(one, NOW))
    assert found[b"anthropic-ratelimit-unified-5h-utilization"] == b"0.40"
    assert found[b"anthropic-ratelimit-unified-reset"] == b"%d" % (NOW + 3600)
    assert found[b"anthropic-ratelimit-unified-status"] == b"allowed"
    one.command(Command("disable", "a"), NOW)
    assert dict(pool_limits(one, NOW))[b"anthropic-ratelimit-unified-5h-utilization"] == b"0.60"
    assert pool_limits(pool(key("k")), NOW) == ()


def test_the_pools_limits_are_weighted_by_what_each_plan_can_carry():
    one = pool(account("small", plan="max_5x"), account("large", plan="max_20x"))
    for name, used in (("small", 1.0), ("large", 0.5)):
        one.observe(name, unified(five=used), NOW)
    found = dict(pool_limits(one, NOW))
    assert found[b"anthropic-ratelimit-unified-5h-utilization"] == b"0.60"


def test_a_removed_account_is_named_by_its_id_and_header_values_are_safe():
    endings = Case().endings
    assert endings.name("gone") == "gone"

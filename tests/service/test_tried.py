"""service/tried: what an error tells programs of the tries before it."""

from __future__ import annotations

import json

from maxpool.core.lease import BillingFailure, ModelMissing, TransientFailure
from maxpool.core.rejected import ContextExceeded, PolicyRefused, RequestRejected
from maxpool.service.retry import Failed, Trail
from maxpool.service.tried import with_tried
from maxpool.wire import replies
from maxpool.wire.verdict_provider import Failures
from tests.make import MODEL, NOW, ask, key, lease, pool

ERROR = replies.error(503, "overloaded_error", "no", request_id="r")


def told(*outcomes, answer=ERROR, show=True):
    """The error's body after an account each has failed so."""
    p = pool(*(key(f"k{n}") for n in range(len(outcomes))))
    trail = Trail(began=NOW)
    for outcome in outcomes:
        taken = lease(p, exclude=frozenset(t.account_id for t in trail.tries))
        p.release(taken, outcome, NOW)
        trail.last = Failed(outcome, 418)
        trail.met(taken, trail.last, Failures())
    return json.loads(with_tried(answer, trail, p, ask(), NOW, show=show).body)


def test_an_error_lists_what_was_tried_why_it_failed_and_until_when():
    body = told(BillingFailure(), TransientFailure(500))
    assert body["maxpool"]["tried"] == [
        {
            "account": "k0",
            "model": MODEL,
            "reason": "billing_failure",
            "status": 418,
            "until": NOW + 900,
        },
        {
            "account": "k1",
            "model": MODEL,
            "reason": "transient_failure",
            "status": 418,
            "until": None,
        },
    ]
    assert body["error"]["message"] == "no"


def test_without_names_where_names_are_not_shown():
    assert "account" not in told(ModelMissing(MODEL), show=False)["maxpool"]["tried"][0]


def test_what_is_already_told_stays():
    body = json.loads(ERROR.body) | {"maxpool": {"reason": "quota"}}
    answer = replies.Answer(429, (), json.dumps(body).encode())
    found = told(BillingFailure(), answer=answer)["maxpool"]
    assert (found["reason"], len(found["tried"])) == ("quota", 1)


def test_an_answer_that_belongs_to_the_request_stays_as_it_is():  # R5
    for outcome in (RequestRejected(400), PolicyRefused(400), ContextExceeded(400)):
        assert told(outcome) == json.loads(ERROR.body)


def test_what_cannot_be_read_stays_as_it_is():
    trail = Trail(began=NOW)
    p = pool("a")
    trail.met(lease(p), Failed(BillingFailure(), 402), None)
    packed = replies.Answer(402, ((b"content-encoding", b"gzip"),), ERROR.body)
    for answer in (packed, replies.Answer(500, (), b"<html>"), replies.Answer(500, (), b"[1]")):
        assert with_tried(answer, trail, p, ask(), NOW, show=True) is answer

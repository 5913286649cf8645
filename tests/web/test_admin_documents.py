from __future__ import annotations

import json

from maxpool import Refusal, Success
from maxpool.core.eligibility import Reason
from maxpool.service.traces import Trace
from maxpool.web import admin_documents as documents
from tests.make import MODEL, NOW, ask, key, lease, pool


def trace(*leases, **given):
    found = Trace("r1", "messages", ask("s1", agent="agent-1"), NOW)
    for one in leases:
        found.leased(one)
    for name, value in given.items():
        setattr(found, name, value)
    return found


def test_a_running_request_tells_how_long_so_far():
    it = pool("a")
    told = documents.decision(trace(lease(it)), it, NOW + 2.5, whole=False)
    assert (told["status"], told["ended_at"], told["took_s"]) == (None, None, 2.5)
    assert told["tries"][0]["outcome"] is None
    assert "candidates" not in told["tries"][0]


def test_a_sub_agents_session_is_shown_behind_a_slash():
    assert documents.session_of(ask("s1", agent="agent-1")) == "s1/agent-1"
    assert documents.session_of(ask(None)) is None


def test_what_came_before_cost_is_told_as_it_was_then():
    it = pool("a", key("k"), key_price="always")
    held = lease(it)
    it.release(held, Success(), NOW + 1)
    told = documents.decision(trace(held), it, NOW, whole=True)["tries"][0]
    assert all(c["order"]["key"] is False for c in told["candidates"])
    it = pool("a", key("k", priority=2))
    told = documents.decision(trace(lease(it)), it, NOW, whole=True)["tries"][0]
    assert told["candidates"][0]["order"] == {
        "preferred": False,
        "priority": 0,
        "key": False,
        "tier": 0,
    }


def test_a_decision_that_is_no_longer_remembered_is_said_to_be_forgotten():
    it = pool("a", kept_decisions=1)
    first, second = lease(it), lease(it)
    told = documents.decision(trace(first, second), it, NOW, whole=True)["tries"]
    assert [one.get("forgotten", False) for one in told] == [True, False]
    assert documents.accounts_of(trace(first, second), it) == {"a"}


def test_an_account_that_is_gone_is_called_by_its_id():
    it = pool("a", "b")
    held = lease(it)
    it.remove(held.account_id, NOW)
    told = documents.decision(trace(held), it, NOW, whole=True)
    assert told["tries"][0]["account"] == held.account_id


def test_a_refusal_tells_how_many_accounts_had_which_reason():
    refusal = Refusal(Reason.QUOTA, NOW + 60, "quota", {"quota": 2, "disabled": 1})
    told = documents.decision(trace(refusal=refusal), pool("a"), NOW, whole=True)
    assert told["refusal"]["counts"] == {"quota": 2, "disabled": 1}


def test_everything_is_json_and_free_text_is_cut():
    it = pool("a")
    found = trace(lease(it))
    found.request = ask("s", model="m" * 5000)
    text = json.dumps(documents.decision(found, it, NOW, whole=True))
    assert len(text) < 3000


def test_the_share_of_a_sessions_prefix_that_is_cached_is_told():
    it = pool("a", "b")
    it.release(lease(it, session="s1", input_tokens=10_000), Success(), NOW)
    asked = ask("s1", model=MODEL, input_tokens=20_000)
    told = documents.explanation(it.explain(asked, NOW + 1), it, NOW + 1)
    chosen = next(c for c in told["candidates"] if c["chosen"])
    assert (chosen["cached_tokens"], chosen["cached_share"]) == (10_000, 0.5)
    assert told["home"] == told["chosen"]

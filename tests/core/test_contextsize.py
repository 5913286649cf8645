"""core/contextsize: what fits into the context of a model, and who waits for whom because of it."""

from __future__ import annotations

import pytest

from maxpool import Lease, Refusal, Success, Wait
from maxpool.core.contextsize import outgrows, rooms_of, sized, too_large
from maxpool.core.eligibility import Reason
from maxpool.core.explain import explain
from tests.make import MODEL, NOW, ask, key, lease, pool

SMALL = {"*": 10_000}
LARGE = {"*": 100_000}


@pytest.mark.parametrize(
    ("room", "input_tokens", "output", "beyond"),
    [
        ((10_000, None), 9_000, 1_000, False),
        ((10_000, None), 9_000, 1_001, True),
        ((10_000, None), 10_000, None, False),
        ((10_000, 500), 9_000, 128_000, False),
        ((10_000, 500), 9_501, 128_000, True),
        ((10_000, 500), 9_900, 100, False),
    ],
)
def test_a_request_needs_room_for_itself_and_for_the_answer_it_allows(
    room, input_tokens, output, beyond
):
    request = ask(input_tokens=input_tokens, max_output_tokens=output)
    assert outgrows(request, room) is beyond


def test_the_context_is_that_of_the_model_that_is_sent():  # P2
    models = {"claude-*": "mini", "gpt-*": "*"}
    account = key(models=models, context={"mini": 10_000, "gpt-*": 50_000})
    request = ask(input_tokens=20_000)
    assert too_large(account, request, "claude-sonnet-5-5")
    assert not too_large(account, request, "gpt-6")
    assert not too_large(key(context={"other": 10}), request, MODEL)
    assert not too_large(key(), request, MODEL)


def test_what_no_account_has_room_for_is_refused_with_the_reason():  # P2
    p = pool(key(context=SMALL))
    found = p.acquire(ask(input_tokens=20_000), NOW)
    assert isinstance(found, Refusal)
    assert (found.reason, found.retry_at) == (Reason.CONTEXT, None)
    told = explain(p, ask(input_tokens=20_000), NOW, frozenset())
    assert told.unavailable == (("k", Reason.CONTEXT, None),)


def test_a_larger_request_goes_to_the_account_that_has_room_for_it():  # P2
    p = pool(key("small", context=SMALL, priority=-1), key("large", context=LARGE))
    assert lease(p, input_tokens=5_000).account_id == "small"
    assert lease(p, input_tokens=20_000).account_id == "large"


def test_one_that_waits_for_a_large_model_keeps_no_small_request_waiting():
    p = pool(key("small", context=SMALL, slots=1), key("large", context=LARGE, slots=1))
    held = [lease(p, input_tokens=20_000), lease(p, input_tokens=5_000)]
    assert {one.account_id for one in held} == {"small", "large"}
    waits = [p.acquire(ask(input_tokens=n), NOW) for n in (20_000, 5_000)]
    assert all(isinstance(one, Wait) for one in waits)
    p.remove("large", NOW)
    p.release(next(one for one in held if one.account_id == "small"), Success(), NOW)
    answers = [answer for _, answer in p.wake(NOW)]
    assert [a.account_id for a in answers if isinstance(a, Lease)] == ["small"]


def test_rooms_are_told_apart_only_where_accounts_have_them():
    request = ask(input_tokens=20_000)
    assert sized(request, frozenset()) is request
    rooms = rooms_of(key(context=SMALL)) | rooms_of(key(context=LARGE, max_output_tokens=9))
    assert sized(request, rooms).beyond == {(10_000, None)}


def test_a_changed_context_counts_from_then_on():
    p = pool(key(context=SMALL))
    p.update(key(context=LARGE), NOW)
    assert lease(p, input_tokens=20_000).account_id == "k"

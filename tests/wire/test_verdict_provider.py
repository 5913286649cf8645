"""wire/verdict_provider: errors as other vendors write them, and what each of them means."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool import (
    AuthRejected,
    BillingFailure,
    ContextExceeded,
    Forbidden,
    Garbage,
    ModelMissing,
    NetworkFailure,
    Overloaded,
    PolicyRefused,
    QuotaExceeded,
    RateLimited,
    RequestRejected,
    Success,
    TransientFailure,
)
from maxpool.core.rejected import NotCarried
from maxpool.wire.verdict import classify_error_event
from maxpool.wire.verdict_provider import (
    ACTIONS,
    MAX_TEXT_CHARS,
    NAMED,
    SIGNS,
    FailureClass,
    Failures,
    Sign,
    class_of,
    words_of,
)

if TYPE_CHECKING:
    from maxpool import Outcome

NOW = 1_800_000_000.0
MODEL = "gpt-5.2"
USUAL = Failures()


def openai(
    message: str = "", code: str | None = None, kind: str = "invalid_request_error"
) -> bytes:
    """An error in OpenAI's envelope."""
    error = {"message": message, "type": kind, "param": None, "code": code}
    return json.dumps({"error": error}).encode()


def translated(code: str, kind: str = "invalid_request_error") -> bytes:
    """The same as a Messages envelope that keeps the upstream's own code."""
    error = {"type": kind, "message": "no", "details": {"error_code": code}}
    return json.dumps({"type": "error", "error": error}).encode()


def verdict(
    status: int, body: bytes = b"", headers: dict[str, str] | None = None, by: Failures = USUAL
) -> Outcome:
    return by.classify(status, headers or {}, body, model=MODEL, now=NOW)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (400, openai("Unknown parameter: 'foo'."), RequestRejected(400)),
        (404, openai("No such route"), RequestRejected(404)),
        (413, b"", RequestRejected(413)),
        (422, b'{"detail":[{"type":"missing","msg":"Field required"}]}', RequestRejected(422)),
        (400, openai(code="context_length_exceeded"), ContextExceeded(400)),
        (400, translated("context_length_exceeded"), ContextExceeded(400)),
        (400, openai("This model's maximum context length is 8192 tokens."), ContextExceeded(400)),
        (413, openai("Request too large for model `m` on tokens per minute"), ContextExceeded(413)),
        (429, openai("Request too large for gpt-4o on tokens per min"), ContextExceeded(429)),
        (404, openai("The model `gpt-5.2` does not exist"), ModelMissing(MODEL)),
        (410, openai("gpt-5.2 has been retired"), ModelMissing(MODEL)),
        (400, b'{"error":{"message":"Model Not Exist"}}', ModelMissing(MODEL)),
        (403, openai(code="model_not_found"), ModelMissing(MODEL)),
        (401, openai(code="invalid_api_key"), AuthRejected()),
        (400, b'[{"error":{"code":400,"message":"API key not valid."}}]', AuthRejected()),
        (403, openai("Country not supported"), Forbidden()),
        (402, b"", BillingFailure()),
        (429, openai(code="insufficient_quota"), BillingFailure()),
        (429, translated("insufficient_quota", "rate_limit_error"), BillingFailure()),
        (429, openai("Rate limit reached"), RateLimited()),
        (403, openai(code="rate_limit_exceeded"), RateLimited()),
        (529, b"", Overloaded(MODEL, "529")),
        (503, openai("The engine is currently overloaded"), Overloaded(MODEL, "503")),
        (429, openai(kind="engine_overloaded_error"), Overloaded(MODEL, "429")),
        (500, b"<html>oops: model overloaded</html>", TransientFailure(500)),
        (502, b"bad gateway", TransientFailure(502)),
        (408, b"", TransientFailure(408)),
        (409, b"", TransientFailure(409)),
        (400, openai(code="content_policy_violation"), PolicyRefused(400)),
        (403, openai("Your input was flagged; the model requires moderation"), PolicyRefused(403)),
        (302, b"", RequestRejected(502)),
    ],
)
def test_what_services_say_is_read_as_what_they_mean(status, body, outcome):  # P3, P7
    assert verdict(status, body) == outcome


def test_a_policy_comes_before_all_else_an_error_says():  # P7
    body = openai("The model refused: context length, insufficient_quota", "content_filter")
    assert verdict(400, body) == PolicyRefused(400)


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [
        ({"retry-after": "7"}, RateLimited(NOW + 7, relative=True)),
        (
            {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20s"},
            RateLimited(NOW + 20, relative=True),
        ),
        ({"x-ratelimit-remaining-requests": "5"}, RateLimited()),
        (
            {
                "anthropic-ratelimit-unified-status": "rejected",
                "anthropic-ratelimit-unified-representative-claim": "five_hour",
                "anthropic-ratelimit-unified-reset": str(NOW + 60),
            },
            QuotaExceeded("5h", NOW + 60),
        ),
    ],
)
def test_a_429_lasts_as_long_as_it_says(headers, outcome):
    assert verdict(429, b"", headers) == outcome


def test_a_403_with_nothing_remaining_is_a_limit():
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(NOW + 90)}
    assert verdict(403, b"", headers) == RateLimited(NOW + 90)


def test_an_owners_sign_stands_before_the_usual_ones():
    own = Sign(FailureClass.QUOTA, (403,), ("daily limit",))
    by = Failures(signs=(own, *SIGNS))
    assert verdict(403, openai("Your daily limit is reached"), by=by) == RateLimited()
    assert verdict(403, openai("no"), by=by) == Forbidden()


def test_an_error_event_in_a_200_is_read_as_its_status_would_be():
    event = translated("insufficient_quota", "rate_limit_error")
    assert classify_error_event(event, MODEL, USUAL) == BillingFailure()
    assert classify_error_event(b'{"type":"error"}', MODEL, USUAL) == TransientFailure(500)


def test_what_an_error_repeats_of_the_request_is_not_what_it_says():
    body = {"detail": [{"msg": "bad field", "input": "context_length_exceeded"}]}
    assert verdict(422, json.dumps(body).encode()) == RequestRejected(422)


def test_a_name_stands_for_the_model_only_where_there_is_one():
    sign = Sign(FailureClass.MODEL, (404,), (NAMED,))
    assert sign.fits(404, "no gpt-5.2 here", MODEL)
    assert not sign.fits(404, "nothing here", "")


@pytest.mark.parametrize(
    ("outcome", "action"),
    [
        (RequestRejected(400), "pass"),
        (PolicyRefused(400), "pass"),
        (ContextExceeded(400), "next"),
        (RateLimited(), "next"),
        (BillingFailure(), "next"),
        (TransientFailure(500), "again"),
        (NetworkFailure(), "again"),
        (Garbage("html"), "again"),
    ],
)
def test_each_outcome_has_the_action_of_its_class(outcome, action):
    assert USUAL.action(outcome) == action


def test_every_sign_is_in_lower_case_as_what_it_is_looked_for_in():
    assert all(word == word.lower() and word.strip() for sign in SIGNS for word in sign.words)
    assert set(ACTIONS) < set(FailureClass)


def test_what_is_no_failure_of_its_own_is_the_requests():
    assert class_of(Success()) is FailureClass.REQUEST
    assert class_of(NotCarried("pictures")) is FailureClass.REQUEST
    assert class_of(ContextExceeded(400)) is FailureClass.CONTEXT


ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["error", "details", "x"]), inner)
    ),
    max_leaves=20,
)


@given(st.integers(300, 599), st.binary() | ANY_JSON.map(lambda told: json.dumps(told).encode()))
def test_no_error_is_too_odd_to_be_read(status, body):
    outcome = verdict(status, body)
    assert not isinstance(outcome, Success)
    assert len(words_of(body)) <= MAX_TEXT_CHARS + 2

"""wire/openai_errors: errors in OpenAI's envelope."""

from __future__ import annotations

import json
from typing import Any

import pytest

from maxpool.core.eligibility import Reason
from maxpool.core.lease import Refusal
from maxpool.wire import replies
from maxpool.wire.openai_errors import MAX_MESSAGE_CHARS, event_error, openai_error
from maxpool.wire.replies import Answer

NOW = 1_800_000_000.0


def told(status: int, kind: str, message: str = "m", **more: Any) -> dict[str, Any]:
    body = {"type": "error", "error": {"type": kind, "message": message} | more}
    made = openai_error(Answer(status, (), json.dumps(body).encode()))
    assert made.status == status
    found: dict[str, Any] = json.loads(made.body)["error"]
    assert set(found) == {"message", "type", "param", "code"}
    return found


@pytest.mark.parametrize(
    ("status", "kind", "wanted", "code"),
    [
        (400, "invalid_request_error", "invalid_request_error", None),
        (401, "authentication_error", "invalid_request_error", "invalid_api_key"),
        (402, "billing_error", "insufficient_quota", "insufficient_quota"),
        (403, "permission_error", "invalid_request_error", "permission_denied"),
        (404, "not_found_error", "invalid_request_error", "not_found"),
        (413, "request_too_large", "invalid_request_error", "request_too_large"),
        (429, "rate_limit_error", "rate_limit_error", "rate_limit_exceeded"),
        (500, "api_error", "server_error", None),
        (529, "overloaded_error", "server_error", "overloaded"),
        (418, "teapot_error", "invalid_request_error", None),
        (429, "teapot_error", "rate_limit_error", "rate_limit_exceeded"),
        (503, "teapot_error", "server_error", None),
    ],
)
def test_each_type_has_its_counterpart(status, kind, wanted, code):  # P6
    found = told(status, kind)
    assert (found["message"], found["type"], found["code"]) == ("m", wanted, code)


def test_a_model_that_is_not_there_is_called_so():
    assert told(404, "not_found_error", "model: claude-x")["code"] == "model_not_found"


def test_a_prompt_that_is_too_long_is_called_so():
    long = "prompt is too long: 210000 tokens > 200000 maximum"
    assert told(400, "invalid_request_error", long)["code"] == "context_length_exceeded"


def test_the_upstreams_own_code_is_kept():
    details = {"error_code": "ramp_limit_exceeded"}
    assert told(429, "rate_limit_error", details=details)["code"] == "ramp_limit_exceeded"
    assert told(400, "invalid_request_error", details={"param": "tools"})["param"] == "tools"
    assert told(400, "invalid_request_error", details={"param": 5})["param"] is None


def refused(reason: Reason, retry_at: float | None) -> dict[str, Any]:
    refusal = Refusal(reason, retry_at, "")
    answer = replies.refusal(refusal, now=NOW, request_id="req_1", names={})
    made = openai_error(answer)
    assert (b"x-request-id", b"req_1") in made.headers
    found: dict[str, Any] = json.loads(made.body)
    assert found["maxpool"]["reason"] == reason.value
    return found["error"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("reason", [Reason.QUOTA, Reason.FAMILY_QUOTA, Reason.COOLDOWN])
def test_a_quota_that_opens_again_may_be_tried_again(reason):
    assert refused(reason, NOW + 7200)["code"] == "rate_limit_exceeded"


def test_only_what_no_waiting_mends_is_insufficient_quota():
    assert refused(Reason.SPEND_LIMIT, None)["code"] == "insufficient_quota"
    assert refused(Reason.SPEND_LIMIT, NOW + 60)["code"] == "rate_limit_exceeded"


def test_no_account_for_a_model_is_a_missing_model():
    assert refused(Reason.MODEL, None)["code"] == "model_not_found"


def test_headers_stay_but_for_those_of_the_old_body():
    headers = (
        (b"Content-Type", b"text/html"),
        (b"content-length", b"3"),
        (b"retry-after", b"5"),
        (b"request-id", b"req_up"),
    )
    made = openai_error(Answer(502, headers, b"<p>"))
    assert made.headers == (
        (b"content-type", b"application/json"),
        (b"retry-after", b"5"),
        (b"request-id", b"req_up"),
        (b"x-request-id", b"req_up"),
    )


def test_a_page_of_a_gateway_is_quoted_at_most_in_part():
    made = json.loads(openai_error(Answer(502, (), b"x" * 100_000)).body)
    assert made["error"]["type"] == "server_error"
    assert made["error"]["message"] == "x" * MAX_MESSAGE_CHARS


def test_an_error_in_openais_envelope_stays():
    body = b'{"error": {"message": "m", "type": "t", "param": "p", "code": "c"}}'
    assert openai_error(Answer(400, (), body)).body == body


def test_an_error_of_a_stream_has_the_same_form():
    found = event_error(b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}')
    assert found == {"message": "busy", "type": "server_error", "param": None, "code": "overloaded"}
    assert event_error(b"junk")["type"] == "server_error"

"""wire/from_chat_errors: errors of other services in the Messages envelope."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types import ErrorResponse

from maxpool.core.lease import BillingFailure, ModelMissing, Overloaded, RateLimited
from maxpool.core.rejected import ContextExceeded
from maxpool.wire.from_chat_errors import (
    MAX_MESSAGE_CHARS,
    TYPE_OF_STATUS,
    broken_event,
    error_body,
    error_event,
)
from maxpool.wire.verdict_provider import Failures
from tests.wire.chat_oracle import events

UNKNOWN_TO_THE_SDK = {"conflict_error", "request_too_large"}
"""Types that the API documents and the SDK has no class for."""


def error(status: int, told: Any) -> dict[str, Any]:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    made = error_body(status, body)
    found: dict[str, Any] = json.loads(made)["error"]
    if found["type"] not in UNKNOWN_TO_THE_SDK:
        ErrorResponse.model_validate_json(made)
    return found


@pytest.mark.parametrize(("status", "kind"), sorted(TYPE_OF_STATUS.items()))
def test_the_type_follows_the_status(status, kind):
    assert error(status, {"error": {"message": "m"}}) == {"type": kind, "message": "m"}


@pytest.mark.parametrize(
    ("status", "kind"), [(418, "invalid_request_error"), (500, "api_error"), (503, "api_error")]
)
def test_other_statuses_are_the_callers_or_the_upstreams(status, kind):
    assert error(status, {"error": {"message": "m"}})["type"] == kind


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (400, {"code": "context_length_exceeded"}, "invalid_request_error"),
        (429, {"code": "insufficient_quota"}, "billing_error"),
        (429, {"type": "insufficient_quota", "code": None}, "billing_error"),
        (400, {"code": "model_not_found"}, "not_found_error"),
        (400, {"code": "invalid_api_key"}, "authentication_error"),
        (503, {"code": "server_is_overloaded"}, "overloaded_error"),
        (500, {"type": "overloaded_error"}, "overloaded_error"),
    ],
)
def test_what_a_service_says_of_itself_outranks_the_status(status, told, kind):
    found = error(status, {"error": {"message": "m", **told}})
    assert found["type"] == kind
    assert found["details"]["error_code"] == (told.get("code") or told["type"])


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"error": "plain"}, "plain"),
        ({"message": "top"}, "top"),
        ({"detail": "fast"}, "fast"),
        ([{"error": {"message": "listed", "status": "RESOURCE_EXHAUSTED"}}], "listed"),
        ({"error": {"message": "m", "metadata": {"raw": "behind"}}}, "m (behind)"),
        ({"detail": [{"loc": "x"}]}, '{"detail":[{"loc":"x"}]}'),
        (b"no json", "no json"),
        (b"", "The service gave no reason."),
        (b"{}", "The service gave no reason."),
        (b"x" * 9_999, "x" * MAX_MESSAGE_CHARS),
    ],
)
def test_the_message_is_found_wherever_a_service_puts_it(told, message):
    assert error(400, told)["message"] == message


@pytest.mark.parametrize(
    ("status", "told", "outcome"),
    [
        (400, {"code": "context_length_exceeded"}, ContextExceeded),
        (429, {"code": "insufficient_quota"}, BillingFailure),
        (429, {"code": "rate_limit_exceeded"}, RateLimited),
        (404, {"code": "model_not_found"}, ModelMissing),
        (503, {"code": "server_is_overloaded"}, Overloaded),
    ],
)
def test_the_class_of_a_failure_can_be_told_after_translation(status, told, outcome):  # P3
    body = error_body(status, json.dumps({"error": {"message": "m", **told}}).encode())
    assert isinstance(Failures().classify(status, {}, body, model="big", now=0.0), outcome)


def test_a_number_as_code_is_a_status_only_where_there_is_no_other():
    told = {"error": {"message": "m", "code": 503}}
    assert error(429, told)["type"] == "rate_limit_error"
    assert events(error_event({"error": {"message": "m", "code": 429}}))[0]["error"] == {
        "type": "rate_limit_error",
        "message": "m",
    }


def test_a_broken_stream_is_told_as_an_event():
    assert events(broken_event("api_error", "m"))[0]["error"] == {
        "type": "api_error",
        "message": "m",
        "details": {"upstream_type": "api_error"},
    }

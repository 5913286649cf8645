"""wire/replies: what maxpool itself says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from maxpool.core.eligibility import Reason
from maxpool.core.lease import Refusal
from maxpool.wire.replies import (
    PING,
    STOPPING,
    auth_failure,
    error,
    models,
    refusal,
    sse_error,
)
from maxpool.wire.sse import Event, Scanner

if TYPE_CHECKING:
    from maxpool.wire.replies import Answer

NOW = 1_795_183_200.0  # 2026-11-20 14:00:00 UTC
NAMES = {"a1": "work", "a2": "home"}


def refused(reason: Reason, retry_in: float | None, tz_offset_s: int = 0) -> Answer:
    at = None if retry_in is None else NOW + retry_in
    return refusal(
        Refusal(reason, at, reason.value),
        now=NOW,
        request_id="r1",
        names=NAMES,
        tz_offset_s=tz_offset_s,
    )


def told(answer: Answer) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(answer.body)
    return body


def headers(answer: Answer) -> dict[bytes, bytes]:
    return dict(answer.headers)


def test_an_error_has_the_apis_envelope_and_its_request_id():
    answer = error(502, "api_error", "no", request_id="r1")
    assert told(answer) == {
        "type": "error",
        "error": {"type": "api_error", "message": "no"},
        "request_id": "r1",
    }
    assert headers(answer) == {b"content-type": b"application/json", b"request-id": b"r1"}


def test_half_a_character_in_a_callers_word_spoils_no_error():
    body = json.loads(error(404, "not_found_error", "no key '\ud800'", request_id="r").body)
    assert body["error"]["message"] == "no key '?'"


def test_a_near_recovery_is_told_in_retry_after_rounded_up():
    answer = refused(Reason.QUOTA, 41.2)
    assert answer.status == 429
    assert headers(answer)[b"retry-after"] == b"42"
    assert b"x-should-retry" not in headers(answer)
    assert headers(refused(Reason.QUOTA, 0))[b"retry-after"] == b"1"
    assert headers(refused(Reason.QUOTA, 60))[b"retry-after"] == b"60"


def test_a_far_recovery_is_told_in_words_and_never_in_retry_after():
    answer = refused(Reason.QUOTA, 2 * 3600 + 24 * 60, tz_offset_s=3600)
    assert b"retry-after" not in headers(answer)
    assert headers(answer)[b"x-should-retry"] == b"false"
    assert headers(answer)[b"x-maxpool-retry-at"] == b"2026-11-20T16:24:00Z"
    message = told(answer)["error"]["message"]
    assert "about 17:24, in 2 h 24 min" in message
    assert "home, work" in message
    assert "quota" in message


def test_a_recovery_days_away_names_the_day():
    message = told(refused(Reason.QUOTA, 4 * 86_400))["error"]["message"]
    assert "about Tue 24 Nov 14:00, in 4 d." in message


@pytest.mark.parametrize(
    ("reason", "status", "kind"),
    [
        (Reason.QUOTA, 429, "rate_limit_error"),
        (Reason.CAP, 429, "rate_limit_error"),
        (Reason.QUEUE_FULL, 503, "overloaded_error"),
        (Reason.THROTTLE, 503, "overloaded_error"),
        (Reason.TIMED_OUT, 503, "overloaded_error"),
        (Reason.LOCKED_OUT, 502, "api_error"),
        (Reason.NO_ACCOUNTS, 502, "api_error"),
        (Reason.MODEL, 404, "not_found_error"),
        (Reason.PROGRAM, 403, "permission_error"),
    ],
)
def test_the_reason_decides_status_and_type(reason: Reason, status: int, kind: str):
    answer = refused(reason, None)
    assert (answer.status, told(answer)["error"]["type"]) == (status, kind)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_told_in_its_own_words_and_is_never_a_400_or_529(reason: Reason):
    answer = refused(reason, None)
    assert answer.status in (403, 404, 413, 429, 502, 503)
    assert "no account can serve now" not in told(answer)["error"]["message"]


def test_what_a_person_must_end_is_not_retried_and_what_ends_by_itself_is():
    assert headers(refused(Reason.LOCKED_OUT, None))[b"x-should-retry"] == b"false"
    assert headers(refused(Reason.MODEL, None))[b"x-should-retry"] == b"false"
    assert b"x-should-retry" not in headers(refused(Reason.QUEUE_FULL, None))


def test_programs_are_told_the_reason_the_time_and_how_many_accounts_have_which_reason():
    found = Refusal(Reason.QUOTA, NOW + 90, "quota", {"quota": 2, "disabled": 1})
    answer = refusal(found, now=NOW, request_id="r", names={})
    facts = {
        "reason": "quota",
        "retry_at": NOW + 90,
        "unavailable": {"quota": 2, "disabled": 1},
    }
    assert told(answer)["maxpool"] == facts
    counted = refusal(found, now=NOW, request_id="r", names={}, unavailable={"paused": 3})
    assert told(counted)["maxpool"] == facts | {"unavailable": {"paused": 3}}
    assert set(told(answer)["error"]) == {"type", "message"}


def test_an_absurd_recovery_time_is_left_out():
    for far in (1e15, 1e300, float("inf")):
        assert b"x-maxpool-retry-at" not in headers(refused(Reason.QUOTA, far))


def test_many_accounts_are_counted_rather_than_listed():
    names = {str(i): f"n{i:02}" for i in range(30)}
    answer = refusal(Refusal(Reason.QUOTA, None, ""), now=NOW, request_id="r", names=names)
    assert "n05 and 24 more" in told(answer)["error"]["message"]


def test_our_own_auth_failure_stops_the_clients_retries():
    answer = auth_failure(request_id="r1")
    assert (answer.status, headers(answer)[b"x-should-retry"]) == (401, b"false")
    assert told(answer)["error"]["type"] == "authentication_error"


def test_ping_and_error_are_one_event_each_whatever_the_message_holds():
    assert Scanner().feed(PING) == [Event("ping", b'{"type": "ping"}')]
    found = Scanner().feed(sse_error("overloaded_error", "a\n\nb\r"))
    assert [event.name for event in found] == ["error"]
    assert json.loads(found[0].data)["error"]["message"] == "a\n\nb\r"


def test_a_request_id_cannot_break_out_of_its_header():
    answer = error(500, "api_error", "x", request_id="a\r\nx: y")
    assert headers(answer)[b"request-id"] == b"ax:y"


def test_the_model_list_has_the_shape_clients_page_through():
    page = json.loads(models(["claude-a", "claude-b"]))
    assert (page["first_id"], page["last_id"], page["has_more"]) == ("claude-a", "claude-b", False)
    assert page["data"][0]["type"] == "model"
    assert json.loads(models([])) == {
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }


def test_a_pause_by_hand_says_who_ends_it_and_a_stopping_server_does_not():
    paused = told(refused(Reason.PAUSED, None))["error"]["message"]
    assert "the pool is paused by hand" in paused
    assert paused.endswith("maxpool resume")
    stopping = refusal(
        Refusal(Reason.PAUSED, None, STOPPING), now=NOW, request_id="r1", names=NAMES
    )
    said = told(stopping)["error"]["message"]
    assert said == "maxpool: the server is stopping (home, work)."


def test_accounts_disabled_by_hand_are_enabled_by_a_command():
    said = told(refused(Reason.DISABLED, None))["error"]["message"]
    assert said.endswith("maxpool accounts enable NAME.")


def test_a_locked_pool_is_not_told_that_its_logins_died_when_an_address_moved():
    assert "base_url moved" in told(refused(Reason.LOCKED_OUT, None))["error"]["message"]

"""wire/responses_stream: the order of events, the ends of answers, and what has no place."""

from __future__ import annotations

from typing import Any

import pytest

from maxpool.wire.replies import PING
from maxpool.wire.responses_output import INCOMPLETE
from tests.wire.answers import REDACTED, TEXT, THINKING, begun, call, event, streamed, whole
from tests.wire.responses_oracle import accumulated, answer, events, kinds, sent, writer

SEARCH = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "q"}}
FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "srv_1",
    "content": [{"type": "web_search_result", "url": "https://example.com", "title": "t"}],
}


def error(kind: str, message: str = "no") -> bytes:
    return event("error", error={"type": kind, "message": message})


def test_a_text_is_told_from_its_first_to_its_last_event():
    assert kinds(sent(streamed(TEXT, piece=6))) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


def test_texts_in_a_row_are_parts_of_one_message():
    told = events(sent(streamed(TEXT, TEXT)))
    assert [e.content_index for e in told if e.type == "response.content_part.done"] == [0, 1]
    assert len(told[-1].response.output) == 1


def test_items_are_numbered_and_named_after_the_answer():
    told = accumulated(sent(streamed(THINKING, TEXT, call(), call("g", 2), stop="tool_use")))
    assert [item.id for item in told.output] == ["rs_01_0", "msg_01_1", "fc_01_2", "fc_01_3"]


def test_parallel_calls_grow_one_after_another():  # P6
    told = events(sent(streamed(call("f", 1, a=1), call("g", 2, b=2), stop="tool_use")))
    done = [e for e in told if e.type == "response.function_call_arguments.done"]
    assert [(e.output_index, e.name, e.arguments) for e in done] == [
        (0, "f", '{"a": 1}'),
        (1, "g", '{"b": 2}'),
    ]


@pytest.mark.parametrize("reason", ["end_turn", "stop_sequence", "tool_use"])
def test_an_answer_that_is_over_is_completed(reason: str):
    assert answer(whole(TEXT, stop=reason)).status == "completed"


@pytest.mark.parametrize("reason", sorted(INCOMPLETE))
def test_an_answer_that_is_not_says_why(reason: str):
    last = events(sent(streamed(TEXT, stop=reason)))[-1]
    assert last.type == "response.incomplete"
    assert last.response.incomplete_details.reason == INCOMPLETE[reason]


def test_an_item_that_the_limit_cut_is_incomplete():
    told = answer(whole(TEXT, call(), stop="max_tokens"))
    assert [item.to_dict()["status"] for item in told.output] == ["completed", "incomplete"]


def test_a_refusal_is_told_with_its_reason():  # P6
    details = {"type": "refusal", "category": "bio", "explanation": "not this"}
    told = events(sent(streamed(TEXT, stop="refusal", stop_details=details)))
    parts = told[-1].response.output[0].content
    assert [part.type for part in parts] == ["output_text", "refusal"]
    assert parts[1].refusal == "not this"
    assert "response.refusal.done" in [e.type for e in told]


def test_a_refusal_without_a_word_is_a_message_all_the_same():
    (item,) = answer(whole(THINKING, stop="refusal")).output[1:]
    assert item.to_dict()["type"] == "message"


def test_thinking_is_shown_only_to_who_asked_for_it():
    stream = streamed(THINKING, REDACTED)
    assert "reasoning_summary_text.delta" not in kinds(sent(stream))
    told = accumulated(sent(stream, reasoning={"summary": "auto"}))
    assert told.output[0].to_dict()["summary"] == [{"type": "summary_text", "text": "let me see"}]
    assert told.output[1].to_dict()["summary"] == []


def test_a_search_is_an_item_with_its_query():
    told = accumulated(sent(streamed(TEXT, SEARCH, FOUND, TEXT)))
    assert [item.type for item in told.output] == ["message", "web_search_call", "message"]
    assert told.output[1].to_dict()["action"] == {"type": "search", "query": "q"}


def test_the_sources_of_a_search_are_told_where_they_are_asked_for():
    told = answer(whole(SEARCH, FOUND), include=["web_search_call.action.sources"])
    action: Any = told.output[0].to_dict()["action"]
    assert action["sources"] == [{"type": "url", "url": "https://example.com"}]


def test_citations_of_pages_are_annotations():
    cited = {"type": "web_search_result_location", "url": "https://example.com", "title": None}
    told = events(sent(streamed(TEXT | {"citations": [cited, {"type": "page_location"}]})))
    (note,) = [e for e in told if e.type == "response.output_text.annotation.added"]
    assert note.annotation.end_index == len(TEXT["text"])
    (kept,) = told[-1].response.output[0].content[0].annotations
    assert note.annotation.to_dict() == kept.to_dict()


def test_blocks_that_no_request_can_cause_are_passed_over():
    odd = {"type": "container_upload", "file_id": "f"}
    assert len(answer(whole(TEXT, odd, TEXT)).output) == 2


@pytest.mark.parametrize(
    ("kind", "message", "code"),
    [
        ("overloaded_error", "Overloaded", "server_error"),
        ("api_error", "oops", "server_error"),
        ("rate_limit_error", "slow down", "rate_limit_exceeded"),
        ("invalid_request_error", "no", "invalid_prompt"),
        ("invalid_request_error", "prompt is too long: 3 > 2", "context_length_exceeded"),
    ],
)
def test_an_error_fails_the_response_and_ends_it(kind: str, message: str, code: str):
    one = writer()
    told = one.feed(streamed(TEXT)[:-200].rsplit(b"event: message_delta")[0] + error(kind, message))
    assert f'"error":{{"code":"{code}"'.encode() in told
    assert told.count(b"event: response.failed") == 1
    assert one.feed(error(kind) + streamed(TEXT)) + one.end() == b""


def test_an_error_ahead_of_the_answer_is_a_response_that_failed():
    assert kinds(sent(error("overloaded_error"))) == ["created", "failed"]


def test_a_sign_of_life_ahead_of_the_answer_opens_it_under_the_request_s_id():  # Q3
    told = events(sent(PING * 2 + streamed(TEXT)))
    assert [e.type for e in told[:3]] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
    ]
    assert {told[0].response.id, told[-1].response.id} == {"resp_77"}


def test_pings_are_named_events_that_the_sdk_skips():
    stream = sent(begun() + PING * 2)
    assert stream.count(b"event: keepalive\n") == 2
    assert kinds(stream) == ["created", "in_progress"]

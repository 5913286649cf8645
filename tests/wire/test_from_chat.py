"""wire/from_chat: streams of Chat services, as OpenAI writes them and as others do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from maxpool.wire.from_chat import CHAT_DIALECT
from maxpool.wire.meter import Meter
from maxpool.wire.sse import Scanner
from tests.wire.chat_oracle import DONE, USAGE, call, chunk, data, events, message_of

PLAIN = b'{"model":"claude-x"}'
SHOWN = b'{"model":"claude-x","thinking":{"type":"adaptive"}}'
TAIL = chunk({}, "stop") + DONE


def read(*chunks: bytes, body: bytes = PLAIN) -> bytes:
    reader = CHAT_DIALECT.reader(body, model="claude-x", request_id="req_1")
    return b"".join(reader.feed(one) for one in chunks) + reader.end()


def said(*chunks: bytes, body: bytes = PLAIN) -> dict[str, Any]:
    return message_of(read(*chunks, body=body))


def kinds(*chunks: bytes) -> list[str]:
    return [one["type"] for one in events(read(*chunks))]


def error(*chunks: bytes) -> dict[str, Any]:
    found: dict[str, Any] = events(read(*chunks))[-1]["error"]
    return found


def test_a_text_arrives_piece_by_piece_under_the_name_that_was_asked_for():  # P1
    made = said(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Hel"}),
        chunk({"content": "lo"}),
        TAIL,
    )
    assert made["content"] == [{"type": "text", "text": "Hello", "citations": None}]
    assert (made["model"], made["role"], made["stop_reason"]) == (
        "claude-x",
        "assistant",
        "end_turn",
    )
    assert made["id"].startswith("msg_")
    assert kinds(chunk({"content": "a"}), TAIL) == [
        *("message_start", "content_block_start", "content_block_delta"),
        *("content_block_stop", "message_delta", "message_stop"),
    ]


def test_parallel_calls_become_blocks_one_behind_the_other():  # P6
    made = said(
        chunk({"content": "Both."}),
        chunk(call(0, "f", id="call_1", type="function")),
        chunk(call(0, args='{"a":')),
        chunk(call(0, args="1}")),
        chunk(call(1, "g", id="call_2", type="function")),
        chunk(call(1, args="{}")),
        chunk({}, "tool_calls"),
        DONE,
    )
    assert [b["type"] for b in made["content"]] == ["text", "tool_use", "tool_use"]
    assert [(b["id"], b["name"], b["input"]) for b in made["content"][1:]] == [
        ("call_1", "f", {"a": 1}),
        ("call_2", "g", {}),
    ]
    assert made["stop_reason"] == "tool_use"


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("model_length", "model_context_window_exceeded"),
        ("tool_calls", "end_turn"),
        ("a_new_one", "end_turn"),
    ],
)
def test_the_reason_to_stop_is_kept(finish, reason):  # P6
    assert said(chunk({"content": "a"}), chunk({}, finish), DONE)["stop_reason"] == reason


def test_a_stop_that_follows_a_call_means_the_call():
    assert said(chunk(call(0, "f", "{}", id="c")), TAIL)["stop_reason"] == "tool_use"


def test_the_first_reason_to_stop_is_the_reason():
    cut = said(chunk({"content": "a"}), chunk({}, "length"), TAIL)
    assert cut["stop_reason"] == "max_tokens"


def test_the_older_form_of_a_call_is_a_call():
    pieces = [{"name": "f", "arguments": ""}, {"arguments": '{"a":'}, {"arguments": "1}"}]
    made = said(*(chunk({"function_call": one}) for one in pieces), chunk({}, "function_call"))
    assert [(b["name"], b["input"]) for b in made["content"]] == [("f", {"a": 1})]
    assert made["stop_reason"] == "tool_use"


def test_a_stop_sequence_is_named_where_the_service_names_it():
    last = data(
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": "END"}]}
    )
    made = said(chunk({"content": "a"}), last, DONE, body=b'{"stop_sequences":["END"]}')
    assert (made["stop_reason"], made["stop_sequence"]) == ("stop_sequence", "END")
    assert said(chunk({"content": "a"}), last, DONE)["stop_reason"] == "end_turn"


def test_usage_behind_the_reason_to_stop_is_counted_without_what_was_cached():  # P6
    last = chunk(choices=[], usage=USAGE)
    usage = said(chunk({"content": "a"}), chunk({}, "stop"), last, DONE)["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (40, 60)
    assert (usage["output_tokens"], usage["output_tokens_details"]) == (20, {"thinking_tokens": 5})
    meter, scanner = Meter(), Scanner()
    for event in scanner.feed(read(chunk({"content": "a"}), chunk({}, "stop"), last)):
        meter.feed(event)
    assert (meter.complete, meter.usage.input, meter.usage.cache_read) == (True, 40, 60)


def test_usage_in_every_chunk_counts_once_and_the_last_one_counts():
    first = chunk({"content": "a"}, usage=USAGE | {"completion_tokens": 1})
    usage = said(first, chunk({}, "stop", usage=USAGE), DONE)["usage"]
    assert (usage["output_tokens"], usage["input_tokens"]) == (20, 40)


def test_thinking_is_shown_to_who_asked_to_see_it_and_to_nobody_else():
    chunks = [
        chunk({"reasoning_content": "hm"}),
        chunk({"reasoning": "m"}),
        chunk({"content": "a"}),
        TAIL,
    ]
    shown = said(*chunks, body=SHOWN)["content"]
    assert shown[0] == {"type": "thinking", "thinking": "hmm", "signature": ""}
    hidden = b'{"thinking":{"type":"adaptive","display":"omitted"}}'
    for body in (PLAIN, hidden, b'{"thinking":{"type":"disabled"}}', b"no json"):
        assert [b["type"] for b in said(*chunks, body=body)["content"]] == ["text"]


def test_a_refusal_is_told_in_its_own_words():  # P6
    made = said(
        chunk({"refusal": "I can"}), chunk({"refusal": "not"}), chunk({}, "content_filter"), DONE
    )
    assert (made["content"][0]["text"], made["stop_reason"]) == ("I cannot", "refusal")


def test_an_error_in_the_stream_ends_it_with_its_own_code():
    broken = data(
        {"error": {"message": "slow", "type": "server_error", "code": "rate_limit_exceeded"}}
    )
    told = error(chunk({"content": "a"}), broken, TAIL)
    assert (told["type"], told["message"]) == ("rate_limit_error", "slow")
    assert told["details"]["error_code"] == "rate_limit_exceeded"
    assert error(data({"error": {"message": "x", "code": 429}}))["type"] == "rate_limit_error"
    assert error(b"event: error\n" + data({"message": "x"}))["message"] == "x"


@pytest.mark.parametrize(
    ("chunks", "kind"),
    [
        ([chunk({}, "error"), DONE], "api_error"),
        ([chunk({}, "insufficient_system_resource")], "overloaded_error"),
        ([b"data: {half\n\n"], "api_error"),
        ([b"data: " + b"x" * (2**20 + 1) + b"\n\n"], "api_error"),
        ([chunk(call(0, args="{}", id="c")), TAIL], "api_error"),
    ],
)
def test_what_cannot_be_an_answer_is_an_error_and_never_an_end(chunks, kind):
    told = events(read(chunk({"content": "a"}), *chunks))
    assert (told[-1]["type"], told[-1]["error"]["type"]) == ("error", kind)
    assert "message_stop" not in [one["type"] for one in told]


def test_an_answer_that_never_says_why_it_stopped_is_not_closed():
    assert kinds(chunk({"content": "a"})) == [
        *("message_start", "content_block_start", "content_block_delta")
    ]
    assert read(b"") == b""
    assert read(DONE) == b""
    assert kinds(chunk({"role": "assistant"}), DONE) == ["message_start"]
    assert kinds(chunk({"content": "a"}), b'data: {"choi')[-1] == "content_block_delta"


def test_a_done_that_follows_content_ends_it_without_a_reason():
    assert said(chunk({"content": "a"}), DONE)["stop_reason"] == "end_turn"


@pytest.mark.parametrize(
    "stream",
    [
        [chunk({"content": "a"}), chunk({}, "stop")],
        [chunk({"content": "a"}), chunk({}, "stop"), chunk({}, "stop"), DONE],
        [b": keep-alive\n\n", chunk({"content": "a"}), b": x\n\n", TAIL],
        [chunk({"content": "a"}, "stop"), DONE],
        [chunk({"role": "assistant", "content": None}), chunk({"content": "a"}), TAIL],
        [chunk({"content": "a", "tool_calls": None, "refusal": None}), TAIL],
        [chunk({"content": "a"}).replace(b"\n\n", b"\r\n\r\n"), TAIL],
        [chunk({"content": "a"}), chunk({}, "stop")[:-2]],
        [data({"choices": [{"delta": {"content": "a"}}]}), TAIL],
        [data({"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]})],
        [chunk({"content": [{"type": "text", "text": "a"}]}), TAIL],
        [data({"choices": [], "prompt_filter_results": []}), chunk({"content": "a"}), TAIL],
        [
            data({"choices": [{"index": 1, "delta": {"content": "b"}}]}),
            chunk({"content": "a"}),
            TAIL,
        ],
        [chunk({"content": "a"}), b"data: null\n\n", b"data:\n\n", TAIL],
    ],
    ids=range(14),
)
def test_services_that_write_streams_their_own_way_are_understood(stream):
    made = said(*stream)
    assert [b["text"] for b in made["content"]] == ["a"]
    assert made["stop_reason"] == "end_turn"


def test_an_answer_that_comes_whole_becomes_the_stream_that_was_asked_for():
    whole = {
        "choices": [{"message": {"content": "a", **call(None, "f", '{"x":1}', id="c")}}],
        "usage": USAGE,
    }
    made = said(b" \n" + json.dumps(whole).encode())
    assert [b["type"] for b in made["content"]] == ["text", "tool_use"]
    assert (made["content"][1]["input"], made["usage"]["output_tokens"]) == ({"x": 1}, 20)
    assert error(b'{"error":{"code":"insufficient_quota"}}')["type"] == "billing_error"
    assert read(b'{"choices":[]}') == b""


def test_the_same_answer_is_told_in_the_same_bytes():
    chunks = [chunk({"content": "a"}), chunk(call(0, "f", "{}")), TAIL]
    assert read(*chunks) == read(*chunks)

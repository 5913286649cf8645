"""wire/chat_answer: Messages answers as Chat completions and chunks, judged by OpenAI's SDK."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from maxpool.wire.chat_answer import (
    CHAT_SURFACE,
    DONE,
    FINISH,
    HEARTBEAT,
    ChatWriter,
    model,
    models,
)
from maxpool.wire.replies import Answer

NOW = 1_800_000_000.7
USAGE = {"input_tokens": 10, "cache_read_input_tokens": 200, "cache_creation_input_tokens": 30}
TEXT = {"type": "text", "text": "Hello, wörld"}
THINKING = {"type": "thinking", "thinking": "let me see", "signature": "sig"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1, "b": "ü"}}
BARE_CALL = {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}}


def writer(**asked: Any) -> ChatWriter:
    body = json.dumps({"model": "my-alias", "messages": []} | asked).encode()
    made = CHAT_SURFACE.writer(body, request_id="req_1", now=NOW)
    assert isinstance(made, ChatWriter)
    return made


def message(*blocks: dict[str, Any], stop: str = "end_turn", **more: Any) -> bytes:
    told = {"id": "msg_01", "type": "message", "role": "assistant", "model": "claude-opus-5-5"}
    usage = USAGE | {"output_tokens": 7}
    return json.dumps(
        told | {"content": blocks, "stop_reason": stop, "usage": usage} | more
    ).encode()


def event(name: str, **data: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name} | data)}\n\n".encode()


def stream(*blocks: dict[str, Any], stop: str = "end_turn", piece: int = 4, **delta: Any) -> bytes:
    """The answer as Anthropic streams it, `piece` characters at a time."""
    start = {"id": "msg_01", "usage": USAGE | {"output_tokens": 1}, "content": []}
    out = [event("message_start", message=start), event("ping")]
    for index, block in enumerate(blocks):
        out += _block(index, block, piece)
    told = {"stop_reason": stop, "stop_sequence": None} | delta
    out.append(event("message_delta", delta=told, usage={"output_tokens": 7, "input_tokens": None}))
    return b"".join([*out, event("message_stop")])


def _block(index: int, block: dict[str, Any], piece: int) -> list[bytes]:
    kind = block["type"]
    forms = {
        "text": ("text_delta", "text", "text"),
        "thinking": ("thinking_delta", "thinking", "thinking"),
        "tool_use": ("input_json_delta", "partial_json", "input"),
    }
    out = []
    if kind in forms:
        delta, member, source = forms[kind]
        whole = block[source] if kind != "tool_use" else json.dumps(block["input"])
        opened = block | {source: {} if kind == "tool_use" else ""}
        pieces = [whole[at : at + piece] for at in range(0, len(whole), piece)]
        if block.get("input") == {}:
            pieces = [""]
        out.append(event("content_block_start", index=index, content_block=opened))
        out += [
            event("content_block_delta", index=index, delta={"type": delta, member: one})
            for one in pieces
        ]
        if kind == "thinking":
            signed = {"type": "signature_delta", "signature": "sig"}
            out.append(event("content_block_delta", index=index, delta=signed))
    else:
        out.append(event("content_block_start", index=index, content_block=block))
    return [*out, event("content_block_stop", index=index)]


def completion(body: bytes, **asked: Any) -> ChatCompletion:
    """A whole answer as the SDK reads it, strictly."""
    return ChatCompletion.model_validate_json(writer(**asked).whole(body), strict=True)


def streamed(body: bytes, **asked: Any) -> bytes:
    made = writer(stream=True, **asked)
    return made.feed(body) + made.end()


def chunks(sent: bytes) -> list[ChatCompletionChunk]:
    lines = [part[6:] for part in sent.split(b"\n\n") if part.startswith(b"data: {")]
    return [ChatCompletionChunk.model_validate_json(line, strict=True) for line in lines]


def accumulated(sent: bytes) -> Any:
    """What the SDK's own accumulator makes of a stream."""
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    for chunk in chunks(sent):
        state.handle_chunk(chunk)
    return state.current_completion_snapshot


def test_a_whole_answer_is_a_completion():
    told = completion(message(THINKING, TEXT, stop="end_turn"))
    assert (told.id, told.created, told.model) == ("chatcmpl-01", int(NOW), "my-alias")
    choice = told.choices[0]
    assert (choice.finish_reason, choice.message.content) == ("stop", TEXT["text"])
    assert choice.message.model_extra == {"reasoning_content": "let me see"}
    assert told.system_fingerprint is None


def test_usage_counts_the_whole_prompt():
    usage = completion(message(TEXT)).usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (240, 7, 247)
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 200


def test_parallel_calls_of_a_whole_answer():  # P6
    choice = completion(message(TEXT, CALL, BARE_CALL, stop="tool_use")).choices[0]
    assert choice.finish_reason == "tool_calls"
    calls = choice.message.tool_calls
    assert calls is not None
    told = [(c.id, c.function.name, json.loads(c.function.arguments)) for c in calls]  # type: ignore[union-attr]
    assert told == [("toolu_1", "f", CALL["input"]), ("toolu_2", "g", {})]


def test_an_answer_of_calls_only_has_no_content():
    assert completion(message(CALL, stop="tool_use")).choices[0].message.content is None


@pytest.mark.parametrize("stop", [*FINISH, "a_reason_of_tomorrow"])
def test_every_stop_reason_has_a_finish_reason(stop):  # P6
    whole = completion(message(TEXT, stop=stop)).choices[0].finish_reason
    assert whole == FINISH.get(stop, "stop")
    assert chunks(streamed(stream(TEXT, stop=stop)))[-1].choices[0].finish_reason == whole


def test_a_refusal_says_why():  # P6
    details = {"type": "refusal", "category": "bio", "explanation": "not this"}
    told = completion(message(TEXT, stop="refusal", stop_details=details)).choices[0]
    assert (told.finish_reason, told.message.refusal) == ("content_filter", "not this")
    sent = streamed(stream(TEXT, stop="refusal", stop_details=details))
    assert accumulated(sent).choices[0].message.refusal == "not this"
    assert completion(message(stop="refusal")).choices[0].message.refusal


def test_a_stream_opens_with_the_role_and_ends_with_done():
    sent = streamed(stream(TEXT))
    told = chunks(sent)
    assert told[0].choices[0].delta.role == "assistant"
    assert {(c.id, c.created, c.model) for c in told} == {("chatcmpl-01", int(NOW), "my-alias")}
    assert [c.choices[0].finish_reason for c in told[:-1]] == [None] * (len(told) - 1)
    assert sent.endswith(DONE)
    assert all(chunk.usage is None for chunk in told)


def test_usage_comes_in_a_chunk_of_its_own_for_who_asks():
    sent = streamed(stream(TEXT), stream_options={"include_usage": True})
    last = chunks(sent)[-1]
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (240, 7)
    first = json.loads(sent.split(b"\n\n")[0][6:])
    assert first["usage"] is None


def test_the_accumulated_stream_is_the_whole_answer():  # P6
    blocks = (THINKING, TEXT, CALL, BARE_CALL)
    sent = streamed(stream(*blocks, stop="tool_use"), stream_options={"include_usage": True})
    told = accumulated(sent).model_dump(exclude_none=True)
    whole = completion(message(*blocks, stop="tool_use")).model_dump(exclude_none=True)
    for call in told["choices"][0]["message"]["tool_calls"]:
        call.pop("index")
        call["function"].pop("parsed_arguments", None)
        call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    for call in whole["choices"][0]["message"]["tool_calls"]:
        call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    assert told["choices"][0]["message"] == whole["choices"][0]["message"]
    assert told["usage"] == whole["usage"]


def test_calls_are_numbered_apart_from_other_blocks():
    told = chunks(streamed(stream(TEXT, CALL, TEXT, BARE_CALL, stop="tool_use")))
    calls = [c.choices[0].delta.tool_calls for c in told if c.choices[0].delta.tool_calls]
    opened = [(c[0].index, c[0].id) for c in calls if c[0].id]
    assert opened == [(0, "toolu_1"), (1, "toolu_2")]
    assert {c[0].index for c in calls} == {0, 1}


def test_input_that_opens_whole_is_streamed_once():
    body = event("content_block_start", index=3, content_block=CALL)
    sent = writer().feed(body + event("content_block_stop", index=3))
    call = accumulated(sent).choices[0].message.tool_calls[0]
    assert json.loads(call.function.arguments) == CALL["input"]


def test_a_client_of_the_older_api_gets_a_function_call():
    asked = {"functions": [{"name": "f"}]}
    whole = completion(message(CALL, stop="tool_use"), **asked).choices[0]
    assert whole.finish_reason == "function_call"
    assert whole.message.function_call is not None
    assert json.loads(whole.message.function_call.arguments) == CALL["input"]
    sent = accumulated(streamed(stream(CALL, stop="tool_use"), **asked)).choices[0]
    assert (sent.finish_reason, sent.message.function_call.name) == ("function_call", "f")
    assert json.loads(sent.message.function_call.arguments) == CALL["input"]


def test_blocks_without_a_place_are_left_out():
    redacted = {"type": "redacted_thinking", "data": "x"}
    server = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}}
    assert completion(message(redacted, server, TEXT)).choices[0].message.content == TEXT["text"]
    told = accumulated(streamed(stream(redacted, server, TEXT)))
    assert told.choices[0].message.content == TEXT["text"]
    assert told.choices[0].message.tool_calls is None


def test_a_ping_becomes_a_comment():
    assert writer().feed(event("ping")) == HEARTBEAT == CHAT_SURFACE.heartbeat
    assert HEARTBEAT.startswith(b":")


def test_an_error_in_the_stream_is_the_last_word():
    made = writer()
    broken = {"type": "overloaded_error", "message": "Overloaded"}
    sent = made.feed(stream(TEXT)[:400] + b"\n\n" + event("error", error=broken) + stream(TEXT))
    told = json.loads(sent.rpartition(b"data: ")[2])
    assert told["error"]["message"] == "Overloaded"
    assert (made.feed(stream(TEXT)), made.end()) == (b"", b"")


def test_a_stream_that_breaks_off_gets_no_end():
    made = writer()
    made.feed(stream(TEXT).partition(b"event: message_delta")[0])
    assert made.end() == b""


def test_a_stream_is_whole_once_its_stop_reason_is_told():
    made = writer()
    made.feed(stream(TEXT).partition(b"event: message_stop")[0])
    assert made.end() == DONE
    assert made.end() == b""


def test_a_stream_that_names_its_events_in_the_data_only_is_read():
    bare = b"\n".join(line for line in stream(TEXT).split(b"\n") if not line.startswith(b"event: "))
    assert streamed(bare) == streamed(stream(TEXT))


def test_an_event_beyond_all_bounds_ends_the_stream_visibly(monkeypatch):
    monkeypatch.setattr("maxpool.wire.chat_answer.MAX_EVENT_BYTES", 100)
    made = writer()
    sent = made.feed(event("content_block_delta", delta={"type": "text_delta", "text": "x" * 200}))
    assert b'"error"' in sent
    assert made.end() == b""


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"<html>", b'{"content": "x"}'])
def test_what_is_no_answer_is_a_value_error(body):
    with pytest.raises(ValueError, match="Messages"):
        writer().whole(body)


def test_an_error_answer_is_turned_into_openais():
    body = b'{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}'
    told = CHAT_SURFACE.error(Answer(429, ((b"retry-after", b"3"),), body))
    assert (told.status, json.loads(told.body)["error"]["code"]) == (429, "rate_limit_exceeded")
    assert (b"retry-after", b"3") in told.headers


def test_models_are_listed_as_openai_lists_them():
    page = json.loads(models(["claude-opus-5-5", "gpt-x", "fast"], {"gpt-x": "acme"}))
    assert page["object"] == "list"
    told = [Model.model_validate(one, strict=True) for one in page["data"]]
    assert [(one.id, one.owned_by) for one in told] == [
        ("claude-opus-5-5", "anthropic"),
        ("gpt-x", "acme"),
        ("fast", "maxpool"),
    ]
    assert json.loads(model("fast"))["object"] == "model"


TEXTS = st.builds(lambda words: {"type": "text", "text": words}, st.text(min_size=1, max_size=30))
THOUGHTS = st.builds(lambda words: THINKING | {"thinking": words}, st.text(min_size=1, max_size=20))
CALLS = st.builds(
    lambda name, given: {"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": given},
    st.from_regex(r"[a-z]{1,8}", fullmatch=True),
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3),
)
ANSWERS = st.lists(TEXTS | THOUGHTS | CALLS, max_size=5)


@given(ANSWERS, st.integers(1, 7), st.lists(st.integers(0, 5000), max_size=8))
def test_any_split_of_any_stream_gives_the_same_bytes(blocks, piece, cuts):  # P6
    body = stream(*blocks, piece=piece)
    made = writer(stream_options={"include_usage": True})
    marks = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    sent = b"".join(made.feed(body[a:b]) for a, b in pairwise(marks))
    assert sent + made.end() == streamed(body, stream_options={"include_usage": True})


def test_a_stream_split_into_single_bytes_is_the_same():  # P6
    body = stream(THINKING, TEXT, CALL, stop="tool_use")
    made = writer()
    sent = b"".join(made.feed(body[at : at + 1]) for at in range(len(body)))
    assert sent + made.end() == streamed(body)


@given(ANSWERS, st.integers(1, 7))
def test_texts_and_calls_of_any_answer_survive(blocks, piece):  # P6
    told = accumulated(streamed(stream(*blocks, piece=piece))).choices[0].message
    assert (told.content or "") == "".join(b["text"] for b in blocks if b["type"] == "text")
    wanted = [(b["id"], b["name"], b["input"]) for b in blocks if b["type"] == "tool_use"]
    got = [(c.id, c.function.name, json.loads(c.function.arguments)) for c in told.tool_calls or ()]
    assert got == wanted


@given(ANSWERS.filter(bool))
def test_an_answer_given_back_as_the_next_turn_is_the_same_answer(blocks):  # P6
    told = completion(message(*blocks)).choices[0].message.model_dump()
    asked = {"model": "m", "messages": [{"role": "user", "content": "q"}, told]}
    turns = json.loads(CHAT_SURFACE.request(json.dumps(asked).encode()))["messages"]
    back = turns[1]["content"] if len(turns) > 1 else []
    words = "".join(b["text"] for b in blocks if b["type"] == "text")
    assert [b["text"] for b in back if b["type"] == "text"] == ([words] if words.strip() else [])
    assert [b for b in back if b["type"] == "tool_use"] == [
        b for b in blocks if b["type"] == "tool_use"
    ]


@given(
    st.binary(max_size=200),
    st.sampled_from(["message_start", "content_block_delta", "message_delta"]),
)
def test_junk_in_a_stream_raises_nothing(junk, name):
    made = writer()
    made.feed(b"event: " + name.encode() + b"\ndata: " + junk + b"\n\n")
    made.end()

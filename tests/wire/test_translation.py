"""wire/translation: what every surface and every dialect promises, whatever its format."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.core.lease import TokenUsage
from maxpool.errors import RequestError, Uncarried
from maxpool.sim.answers import Answer, Block
from maxpool.sim.openai_chat import ChatFace
from maxpool.sim.prompts import Prompt, Reply
from maxpool.wire.chat_answer import CHAT_SURFACE
from maxpool.wire.from_chat import CHAT_DIALECT
from maxpool.wire.generate import GENERATE_DIALECT
from maxpool.wire.responses_answer import RESPONSES_SURFACE
from maxpool.wire.translation import Dialect, Format, Surface
from tests.wire.chat_oracle import DONE, USAGE, call, chunk, data, message, message_of

DIALECTS: list[Dialect] = [CHAT_DIALECT, GENERATE_DIALECT]
SURFACES: list[Surface] = [CHAT_SURFACE, RESPONSES_SURFACE]
each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=[d.name for d in DIALECTS])
each_surface = pytest.mark.parametrize("surface", SURFACES, ids=[s.name for s in SURFACES])

WORDS = (
    *("model", "messages", "role", "content", "type", "text", "image", "source", "url", "system"),
    *("tools", "name", "input_schema", "tool_use", "tool_result", "id", "input", "tool_use_id"),
    *("user", "assistant", "document", "thinking", "output_config", "format", "effort", "choices"),
    *("delta", "message", "tool_calls", "function", "arguments", "index", "finish_reason", "usage"),
    *("prompt_tokens", "error", "code", "stop", "response", "output", "input_text", "stream"),
)
NAMES = st.sampled_from(WORDS)
LEAF = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(0, 1) | NAMES
JSON = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
CUTS = st.lists(st.integers(0, 10_000), max_size=6)

CHAT_STREAM = b"".join(
    (
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "hm é"}),
        chunk({"content": "Let me "}),
        b": keep-alive\n\n",
        chunk({"content": "look. €"}),
        chunk(call(0, "f", id="call_1", type="function")),
        chunk(call(1, "g", '{"b":', id="call_2", type="function")),
        chunk(call(0, args='{"a":"ü"}')),
        chunk(call(1, args="2}")),
        chunk({}, "tool_calls"),
        chunk(choices=[], usage=USAGE),
        DONE,
    )
)
WHOLE = json.dumps({"choices": [{"message": {"content": "a é"}}], "response": "b"}).encode()
SHOWN = b'{"thinking":{"type":"enabled"},"stream":true}'


def split(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(stream) + 1) for cut in cuts})
    return [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]


def read(dialect: Dialect, *chunks: bytes) -> bytes:
    reader = dialect.reader(SHOWN, model="claude-x", request_id="req_1")
    return b"".join(reader.feed(one) for one in chunks) + reader.end()


def written(surface: Surface, body: bytes, *chunks: bytes) -> bytes:
    writer = surface.writer(body, request_id="req_1", now=1_800_000_000.0)
    return b"".join(writer.feed(one) for one in chunks) + writer.end()


def asked_of(surface: Surface) -> bytes:
    """A request that asks for a stream, in the surface's own format."""
    turn = [{"role": "user", "content": "hello"}]
    members = {"messages": turn} if surface.name == "openai-chat" else {"input": turn}
    return json.dumps({"model": "m", "stream": True, **members}).encode()


def test_each_has_the_name_of_a_format():
    names = [*(one.name for one in DIALECTS), *(one.name for one in SURFACES)]
    assert set(names) <= set(get_args(Format))
    assert all(dialect.path.startswith("/") for dialect in DIALECTS)


@each_dialect
@given(JSON | st.dictionaries(NAMES, JSON, max_size=6))
def test_a_dialect_takes_a_request_or_says_why_not(dialect, told):  # P6
    try:
        made = dialect.request(json.dumps(told).encode(), model="big", options={})
    except (RequestError, ValueError):
        return
    assert json.loads(made)["model"] == "big"


@each_surface
@given(JSON | st.dictionaries(NAMES, JSON, max_size=6))
def test_a_surface_takes_a_request_or_says_why_not(surface, told):  # P6
    try:
        made = surface.request(json.dumps(told).encode())
    except RequestError:  # of status 400, as every one that a body alone causes
        return
    assert isinstance(json.loads(made)["messages"], list)


@each_dialect
@given(JSON, st.integers(0, 599))
def test_a_dialect_reads_any_answer_or_says_that_it_is_none(dialect, told, status):
    body = json.dumps(told).encode()
    assert json.loads(dialect.error(status, body))["type"] == "error"
    reader = dialect.reader(body, model="claude-x", request_id="r")
    try:
        answer = reader.whole(body)
    except ValueError:
        return
    assert json.loads(answer)["type"] == "message"


@each_dialect
@pytest.mark.parametrize("junk", [b"", b"{", b"\xff", b"[" * 50_000, b'{"model":"\xff"}'])
def test_bytes_that_are_no_json_are_survived(dialect, junk):
    with pytest.raises((RequestError, ValueError)):
        dialect.request(junk, model="big", options={})
    assert json.loads(dialect.error(500, junk))["error"]["type"] == "api_error"
    with pytest.raises(ValueError, match=r"\w"):
        dialect.reader(junk, model="m", request_id="r").whole(junk)
    read(dialect, junk, data({}))


@each_dialect
@pytest.mark.parametrize("stream", [CHAT_STREAM, WHOLE], ids=["stream", "whole"])
@given(CUTS)
def test_an_answer_read_in_pieces_is_the_same_answer(dialect, stream, cuts):  # P6
    assert read(dialect, *split(stream, cuts)) == read(dialect, stream)


def test_an_answer_read_byte_by_byte_is_the_same_answer():  # P6
    alone = [CHAT_STREAM[n : n + 1] for n in range(len(CHAT_STREAM))]
    assert read(CHAT_DIALECT, *alone) == read(CHAT_DIALECT, CHAT_STREAM)
    kinds = [b["type"] for b in message_of(read(CHAT_DIALECT, *alone))["content"]]
    assert kinds == ["thinking", "text", "tool_use", "tool_use"]


@each_surface
@given(CUTS)
def test_an_answer_written_in_pieces_is_the_same_answer(surface, cuts):  # P6
    stream, body = read(CHAT_DIALECT, CHAT_STREAM), asked_of(surface)
    assert written(surface, body, *split(stream, cuts)) == written(surface, body, stream)


@each_surface
def test_a_request_of_each_surface_can_go_to_a_chat_service_and_its_answer_comes_back(
    surface,
):  # P6
    body = asked_of(surface)
    sent = json.loads(CHAT_DIALECT.request(surface.request(body), model="big", options={}))
    assert sent["messages"][-1] == {"role": "user", "content": "hello"}
    back = written(surface, body, read(CHAT_DIALECT, CHAT_STREAM))
    assert "look. €" in back.decode().replace("\\u20ac", "€")
    assert b"call_1" in back


TOOLS = [{"name": "Read", "input_schema": {"type": "object"}}]
BLOCKS = st.lists(
    st.builds(lambda text: Block(kind="text", text=text), st.text("ab é{", min_size=1, max_size=9))
    | st.builds(
        lambda n, v: Block(
            kind="tool_use", text=json.dumps({"k": v}), tool_id=f"toolu_{n}", tool_name="Read"
        ),
        st.integers(0, 10**6),
        st.text('a"\\}', max_size=5),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda block: block.tool_id or block.text,
)


@given(BLOCKS, st.integers(1, 5))
def test_a_turn_with_a_simulated_service_brings_back_what_it_said(blocks, chars):  # P6
    turn = {"role": "user", "content": "hello"}
    body = json.dumps({"stream": True, "tools": TOOLS, "messages": [turn], "max_tokens": 9})
    sent = json.loads(CHAT_DIALECT.request(body.encode(), model="big", options={}))
    prompt = ChatFace().read(sent)
    assert isinstance(prompt, Prompt)
    assert (prompt.asked, prompt.include_usage, prompt.tools[0].name) == ("hello", True, "Read")
    answer = Answer(id="0a", blocks=tuple(blocks), stop_reason="end_turn", output_tokens=20)
    reply = Reply(prompt=prompt, answer=answer, usage=TokenUsage(input=3, cache_read=7), at=1.5)
    streamed = message_of(read(CHAT_DIALECT, *(f.data for f in ChatFace().frames(reply, chars))))
    reader = CHAT_DIALECT.reader(body.encode(), model="claude-x", request_id="req_1")
    whole = message(reader.whole(ChatFace().document(reply)))
    for made in (streamed, whole):
        texts = [b["text"] for b in made["content"] if b["type"] == "text"]
        assert "".join(texts) == "".join(b.text for b in blocks if b.kind == "text")
        inputs = [json.dumps(b["input"]) for b in made["content"] if b["type"] == "tool_use"]
        assert inputs == [b.text for b in blocks if b.kind == "tool_use"]
        assert (made["usage"]["input_tokens"], made["usage"]["cache_read_input_tokens"]) == (3, 7)


@each_surface
def test_what_a_surface_says_while_it_waits_is_a_comment_or_an_event(surface):
    assert surface.heartbeat.endswith(b"\n\n")


def test_what_cannot_be_carried_is_an_error_of_the_request():
    found = Uncarried("images", "no place")
    assert (found.status, found.what, str(found)) == (400, "images", "images: no place")

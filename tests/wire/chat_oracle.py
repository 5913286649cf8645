"""The official SDKs' own types as judges of what goes to a Chat service and what comes of its answer."""

from __future__ import annotations

import json
from typing import Any

from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from openai.types.chat.completion_create_params import CompletionCreateParamsBase
from pydantic import TypeAdapter

from maxpool.wire.sse import Event, Scanner

BEYOND_OPENAI = frozenset(
    {"stream", "top_k", "reasoning", "add_generation_prompt", "continue_final_message"}
)
"""Members that only other services know, or that tell two of the SDK's request types apart."""

_BODY = TypeAdapter(CompletionCreateParamsBase)
_MESSAGE: TypeAdapter[Any] = TypeAdapter(ChatCompletionMessageParam)
_TOOL = TypeAdapter(ChatCompletionToolParam)
_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def chat_request(body: bytes) -> dict[str, Any]:
    """The request, once the OpenAI SDK's types know every member of it."""
    told: dict[str, Any] = json.loads(body)
    known = {key: value for key, value in told.items() if key not in BEYOND_OPENAI}
    assert known.keys() <= CompletionCreateParamsBase.__annotations__.keys()
    _BODY.validate_python(known)
    for message in told["messages"]:
        _MESSAGE.validate_python(message)
        if isinstance(message.get("content"), list):
            assert message["content"]
        for call in message.get("tool_calls", ()):
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
    for tool in told.get("tools", ()):
        _TOOL.validate_python(tool)
    _calls_are_answered(told["messages"])
    return told


def _calls_are_answered(messages: list[dict[str, Any]]) -> None:
    """Each tool message stands right behind the calls it belongs to, as OpenAI demands."""
    open_calls: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            assert message["tool_call_id"] in open_calls, message
            continue
        open_calls = {call["id"] for call in message.get("tool_calls", ())}


def events(stream: bytes) -> list[dict[str, Any]]:
    """The events of a Messages stream, each under its own name."""
    scanner = Scanner()
    found: list[Event] = scanner.feed(stream)
    assert not scanner.pending
    told = [json.loads(event.data) for event in found]
    assert [one["type"] for one in told] == [event.name for event in found]
    return told


def message_of(stream: bytes) -> dict[str, Any]:
    """What the Anthropic SDK makes of a whole stream, once its types know every event."""
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    told = events(stream)
    for one in told:
        event = _EVENT.validate_python(one)
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    assert told[0]["type"] == "message_start"
    assert [one["type"] for one in told[-2:]] == ["message_delta", "message_stop"]
    _one_block_at_a_time(told)
    found: dict[str, Any] = json.loads(snapshot.to_json(exclude_unset=False))
    return found


def _one_block_at_a_time(told: list[dict[str, Any]]) -> None:
    open_index, next_index = None, 0
    for one in told:
        match one["type"]:
            case "content_block_start":
                assert open_index is None
                assert one["index"] == next_index
                open_index, next_index = next_index, next_index + 1
            case "content_block_delta":
                assert one["index"] == open_index
            case "content_block_stop":
                assert one["index"] == open_index
                open_index = None
            case _:
                assert open_index is None


def message(body: bytes) -> dict[str, Any]:
    """A whole Messages answer that the Anthropic SDK's type takes."""
    Message.model_validate_json(body)
    told: dict[str, Any] = json.loads(body)
    return told


def chunk(delta: object = None, finish: str | None = None, **more: Any) -> bytes:
    """One event of a Chat stream as OpenAI writes it."""
    choice = {"index": 0, "delta": delta or {}, "logprobs": None, "finish_reason": finish}
    told = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "big",
        "choices": [choice],
        **more,
    }
    return data(told)


def call(index: int | None = None, name: str | None = None, args: str = "", **more: Any) -> Any:
    """A delta with one piece of a tool call."""
    function = {"arguments": args} | ({"name": name} if name else {})
    told = ({} if index is None else {"index": index}) | {"function": function} | more
    return {"tool_calls": [told]}


def data(told: object) -> bytes:
    return b"data: %s\n\n" % json.dumps(told).encode()


DONE = b"data: [DONE]\n\n"
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 60},
    "completion_tokens_details": {"reasoning_tokens": 5},
}

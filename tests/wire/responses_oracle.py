"""OpenAI's SDK as the judge of Responses answers: its types, and its own accumulator of streams."""

from __future__ import annotations

import json
from typing import Any

from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from maxpool.wire.responses_answer import RESPONSES_SURFACE

NOW = 1_800_000_000.7
_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def asked(**more: Any) -> bytes:
    """A request; its answer depends on little of it."""
    return json.dumps({"model": "my-alias", "input": "hi"} | more).encode()


def writer(**more: Any) -> Any:
    return RESPONSES_SURFACE.writer(asked(**more), request_id="req_77", now=NOW)


def answer(body: bytes, **more: Any) -> Response:
    """A whole answer as the SDK knows it."""
    return Response.model_validate(json.loads(writer(**more).whole(body)))


def sent(stream: bytes, piece: int | None = None, **more: Any) -> bytes:
    """What a client gets of a Messages stream that comes in pieces of that size."""
    one = writer(**more)
    size = piece or len(stream) or 1
    told = b"".join(one.feed(stream[at : at + size]) for at in range(0, len(stream), size))
    return bytes(told + one.end())


def events(stream: bytes) -> list[Any]:
    """Its events, each as the SDK's type for it, with numbers that rise from 0."""
    told = []
    for number, block in enumerate(stream.split(b"\n\n")[:-1]):
        name, data = block.split(b"\n")
        event = json.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + event["type"].encode()
        assert event["sequence_number"] == number
        if event["type"] != "keepalive":
            told.append(_EVENT.validate_python(event))
    return told


def kinds(stream: bytes) -> list[str]:
    """The types of its events, without what they have in common."""
    return [event.type.removeprefix("response.") for event in events(stream)]


def accumulated(stream: bytes) -> Response:
    """The answer that the SDK's own accumulator makes of a stream."""
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=omit, text_format=omit)
    for event in events(stream):
        state.handle_event(event)
    done = state._completed_response
    assert done is not None
    return done

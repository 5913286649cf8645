"""OpenAI's Responses API as the simulated upstream speaks it: named events with sequence numbers.

Pure functions over JSON values; nothing here knows of quotas, time or sockets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maxpool.sim.messages import sse
from maxpool.sim.openai_chat import automatic_prefix, error_of, limit_of, tools_of
from maxpool.sim.problems import Problem, invalid_request
from maxpool.sim.prompts import Frame, Prompt, chunks, dump, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from maxpool.core.lease import TokenUsage
    from maxpool.sim.answers import Block
    from maxpool.sim.prompts import FrameKind, Reply

Event = tuple[str, "FrameKind", dict[str, Any], int]
"""Name, part, fields and tokens; the sequence number comes when all are in order."""


class ResponsesFace:
    """`POST /v1/responses`; satisfies `prompts.Face`."""

    def read(self, body: Mapping[str, Any]) -> Prompt | Problem:
        """The request, or what is wrong with it."""
        asked = body.get("input")
        if not isinstance(body.get("model"), str) or not body["model"]:
            return invalid_request("Missing required parameter: 'model'.")
        if not isinstance(asked, str | list) or not asked:
            return invalid_request("Missing required parameter: 'input'.")
        items = asked if isinstance(asked, list) else [{"role": "user", "content": asked}]
        if body.get("instructions"):
            items = [{"role": "system", "content": body["instructions"]}, *items]
        return Prompt(
            model=body["model"],
            stream=body.get("stream") is True,
            max_tokens=limit_of(body, "max_output_tokens"),
            pieces=automatic_prefix(body.get("tools"), items),
            asked=_asked(items),
            variant=body["model"],
            tools=tools_of(body.get("tools")),
        )

    def frames(self, reply: Reply, chunk_chars: int) -> list[Frame]:
        """created, in_progress, each item with its parts and deltas, then the terminal event."""
        started = _response(reply, "in_progress", [], None)
        events: list[Event] = [
            ("response.created", "open", {"response": started}, 0),
            ("response.in_progress", "ping", {"response": started}, 0),
        ]
        for index, block in enumerate(_said(reply)):
            events += _item_events(reply, index, block, chunk_chars)
        name, response = _terminal(reply)
        events.append((name, "end", {"response": response}, 0))
        return [
            Frame(sse(event, {"type": event, "sequence_number": n, **fields}), kind, tokens)
            for n, (event, kind, fields, tokens) in enumerate(events)
        ]

    def document(self, reply: Reply) -> bytes:
        """The finished response."""
        return dump(_terminal(reply)[1])

    def complaint(self, problem: Problem, request_id: str) -> bytes:
        """`{"error": {...}}`; the request id is in the headers only."""
        del request_id
        return dump(error_of(problem))

    def complaint_event(self, problem: Problem) -> bytes:
        """`response.failed`, as a stream that breaks down says it."""
        code = "server_is_overloaded" if problem.status == 529 else problem.kind
        failed = {
            "id": "resp_failed",
            "object": "response",
            "status": "failed",
            "error": {"code": code, "message": problem.message},
        }
        event = {"type": "response.failed", "sequence_number": 0, "response": failed}
        return sse("response.failed", event)


def _asked(items: list[Any]) -> str:
    for item in reversed(items):
        if isinstance(item, dict) and item.get("role") == "user":
            return text_of(item.get("content"))
    return ""


def _said(reply: Reply) -> tuple[Block, ...]:
    return tuple(block for block in reply.answer.blocks if block.kind != "thinking")


def _terminal(reply: Reply) -> tuple[str, dict[str, Any]]:
    output = [_item(reply, i, block, "completed") for i, block in enumerate(_said(reply))]
    if reply.answer.stop_reason == "max_tokens":
        response = _response(reply, "incomplete", output, reply.usage)
        response["incomplete_details"] = {"reason": "max_output_tokens"}
        return "response.incomplete", response
    return "response.completed", _response(reply, "completed", output, reply.usage)


def _item_events(reply: Reply, index: int, block: Block, chunk_chars: int) -> Iterator[Event]:
    at: dict[str, Any] = {"output_index": index}
    opened = _item(reply, index, block, "in_progress")
    yield "response.output_item.added", "start", {**at, "item": opened}, 0
    inner = _call_events if block.kind == "tool_use" else _text_events
    yield from inner({**at, "item_id": opened["id"]}, block, chunk_chars)
    done = _item(reply, index, block, "completed")
    yield "response.output_item.done", "stop", {**at, "item": done}, 0


def _text_events(where: dict[str, Any], block: Block, chunk_chars: int) -> Iterator[Event]:
    at = {**where, "content_index": 0}
    yield "response.content_part.added", "start", {**at, "part": _part("")}, 0
    for part in chunks(block.text, chunk_chars):
        fields = {**at, "delta": part, "logprobs": []}
        yield "response.output_text.delta", "delta", fields, max(1, len(part) // 4)
    yield "response.output_text.done", "stop", {**at, "text": block.text, "logprobs": []}, 0
    yield "response.content_part.done", "stop", {**at, "part": _part(block.text)}, 0


def _call_events(where: dict[str, Any], block: Block, chunk_chars: int) -> Iterator[Event]:
    name = "response.function_call_arguments"
    for part in chunks(block.text, chunk_chars):
        yield f"{name}.delta", "delta", {**where, "delta": part}, max(1, len(part) // 4)
    done = {**where, "name": block.tool_name, "arguments": block.text}
    yield f"{name}.done", "stop", done, 0


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _item(reply: Reply, index: int, block: Block, status: str) -> dict[str, Any]:
    finished = status == "completed"
    if block.kind == "tool_use":
        return {
            "id": f"fc_{reply.answer.id}{index:02d}",
            "type": "function_call",
            "status": status,
            "call_id": block.tool_id.replace("toolu_", "call_"),
            "name": block.tool_name,
            "arguments": block.text if finished else "",
        }
    return {
        "id": f"msg_{reply.answer.id}{index:02d}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [_part(block.text)] if finished else [],
    }


def _response(
    reply: Reply, status: str, output: list[dict[str, Any]], usage: TokenUsage | None
) -> dict[str, Any]:
    return {
        "id": f"resp_{reply.answer.id}",
        "object": "response",
        "created_at": int(reply.at),
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": reply.prompt.max_tokens,
        "metadata": {},
        "model": reply.prompt.model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None if usage is None else _usage(usage),
    }


def _usage(usage: TokenUsage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prefix,
        "input_tokens_details": {"cached_tokens": usage.cache_read},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prefix + usage.output,
    }

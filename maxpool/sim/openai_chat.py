"""OpenAI's Chat Completions as the simulated upstream speaks it.

Pure functions over JSON values; `openai_responses` borrows the error shape and the tool reader.
Nothing here knows of quotas, time or sockets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from maxpool.sim.problems import Problem, invalid_request
from maxpool.sim.promptcache import Piece
from maxpool.sim.prompts import Frame, Prompt, Tool, chunks, dump, schema_in, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from maxpool.core.lease import TokenUsage
    from maxpool.sim.answers import Block, StopReason
    from maxpool.sim.prompts import FrameKind, Reply

DONE = b"data: [DONE]\n\n"


class ChatFace:
    """`POST /v1/chat/completions`; satisfies `prompts.Face`."""

    def read(self, body: Mapping[str, Any]) -> Prompt | Problem:
        """The request, or what is wrong with it."""
        messages = body.get("messages")
        if not isinstance(body.get("model"), str) or not body["model"]:
            return invalid_request("you must provide a model parameter")
        if not isinstance(messages, list) or not messages:
            return invalid_request("Missing required parameter: 'messages'.")
        if not all(isinstance(message, dict) for message in messages):
            return invalid_request("Invalid type for 'messages[0]': expected an object.")
        options = body.get("stream_options")
        return Prompt(
            model=body["model"],
            stream=body.get("stream") is True,
            max_tokens=limit_of(body, "max_completion_tokens", "max_tokens"),
            pieces=automatic_prefix(body.get("tools"), messages),
            asked=_asked(messages),
            variant=body["model"],
            tools=tools_of(body.get("tools")),
            stop_sequences=_stops(body.get("stop")),
            include_usage=isinstance(options, dict) and options.get("include_usage") is True,
            schema=schema_in(body.get("response_format"), "json_schema", "schema"),
        )

    def frames(self, reply: Reply, chunk_chars: int) -> list[Frame]:
        """Chunks, the usage chunk when it was asked for, and `[DONE]`."""
        out = [_frame(reply, "open", {"role": "assistant", "content": ""})]
        calls = 0
        for block in reply.answer.blocks:
            if block.kind == "text":
                out += _text_frames(reply, block, chunk_chars)
            elif block.kind == "tool_use":
                out += _call_frames(reply, block, calls, chunk_chars)
                calls += 1
        out.append(_frame(reply, "finish", {}, _finish(reply.answer.stop_reason)))
        if reply.prompt.include_usage:
            chunk = {**_chunk(reply), "choices": [], "usage": usage_of(reply.usage)}
            out.append(Frame(data_line(chunk), "finish"))
        out.append(Frame(DONE, "end"))
        return out

    def document(self, reply: Reply) -> bytes:
        """The finished completion."""
        text = "".join(b.text for b in reply.answer.blocks if b.kind == "text")
        calls = [_call(b) for b in reply.answer.blocks if b.kind == "tool_use"]
        message: dict[str, Any] = {"role": "assistant", "content": text or None, "refusal": None}
        if calls:
            message["tool_calls"] = calls
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": _finish(reply.answer.stop_reason),
        }
        return dump(
            {
                **_chunk(reply),
                "object": "chat.completion",
                "choices": [choice],
                "usage": usage_of(reply.usage),
            }
        )

    def complaint(self, problem: Problem, request_id: str) -> bytes:
        """`{"error": {...}}`; the request id is in the headers only."""
        del request_id
        return dump(error_of(problem))

    def complaint_event(self, problem: Problem) -> bytes:
        """The same as a data line in the stream."""
        return data_line(error_of(problem))


def data_line(value: object) -> bytes:
    """One nameless event."""
    return b"data: %s\n\n" % dump(value)


def error_of(problem: Problem) -> dict[str, Any]:
    """OpenAI's error envelope."""
    code = problem.error_code
    if code is None and problem.status == 401:
        code = "invalid_api_key"
    if code is None and problem.status == 404:
        code = "model_not_found"
    return {
        "error": {
            "message": problem.message,
            "type": problem.kind,
            "param": None,
            "code": code,
        }
    }


def limit_of(body: Mapping[str, Any], *names: str) -> int | None:
    """The first of the named limits that is a positive integer."""
    for name in names:
        value = body.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def tools_of(tools: object) -> tuple[Tool, ...]:
    """Function tools in either of OpenAI's two nestings."""
    if not isinstance(tools, list):
        return ()
    out = []
    for tool in tools:
        spec = tool.get("function", tool) if isinstance(tool, dict) else None
        if isinstance(spec, dict) and isinstance(spec.get("name"), str):
            schema = spec.get("parameters")
            out.append(Tool(name=spec["name"], schema=schema if isinstance(schema, dict) else {}))
    return tuple(out)


def automatic_prefix(tools: object, items: list[Any]) -> tuple[Piece, ...]:
    """The prompt as cache pieces; OpenAI caches by itself, so the last piece is a breakpoint."""
    parts = [*(tools if isinstance(tools, list) else []), *items]
    last = len(parts) - 1
    return tuple(Piece(dump(part), "5m" if i == last else None) for i, part in enumerate(parts))


def usage_of(usage: TokenUsage) -> dict[str, Any]:
    """Chat's usage object; cached tokens are part of the prompt tokens here."""
    return {
        "prompt_tokens": usage.prefix,
        "completion_tokens": usage.output,
        "total_tokens": usage.prefix + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _asked(messages: list[dict[str, Any]]) -> str:
    for message in reversed(messages):
        if message.get("role") == "user":
            return text_of(message.get("content"))
    return ""


def _stops(stop: object) -> tuple[str, ...]:
    if isinstance(stop, str):
        return (stop,)
    return tuple(s for s in stop if isinstance(s, str)) if isinstance(stop, list) else ()


def _finish(reason: StopReason) -> Literal["stop", "length", "tool_calls", "content_filter"]:
    match reason:
        case "end_turn" | "stop_sequence":
            return "stop"
        case "max_tokens":
            return "length"
        case "tool_use":
            return "tool_calls"
        case "refusal":
            return "content_filter"


def _chunk(reply: Reply) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{reply.answer.id}",
        "object": "chat.completion.chunk",
        "created": int(reply.at),
        "model": reply.prompt.model,
        "system_fingerprint": "fp_simulated",
    }


def _frame(
    reply: Reply,
    kind: FrameKind,
    delta: dict[str, Any],
    finish: str | None = None,
    tokens: int = 0,
) -> Frame:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return Frame(data_line({**_chunk(reply), "choices": [choice]}), kind, tokens)


def _text_frames(reply: Reply, block: Block, chunk_chars: int) -> Iterator[Frame]:
    for part in chunks(block.text, chunk_chars):
        yield _frame(reply, "delta", {"content": part}, tokens=max(1, len(part) // 4))


def _call_frames(reply: Reply, block: Block, index: int, chunk_chars: int) -> Iterator[Frame]:
    opening = _call(block)
    opening["function"]["arguments"] = ""
    yield _frame(reply, "start", {"tool_calls": [{"index": index, **opening}]})
    for part in chunks(block.text, chunk_chars):
        call = {"index": index, "function": {"arguments": part}}
        yield _frame(reply, "delta", {"tool_calls": [call]}, tokens=max(1, len(part) // 4))


def _call(block: Block) -> dict[str, Any]:
    return {
        "id": block.tool_id.replace("toolu_", "call_"),
        "type": "function",
        "function": {"name": block.tool_name, "arguments": block.text},
    }

"""The Messages API as the simulated upstream speaks it: requests, event grammar, errors.

Pure functions over JSON values; nothing here knows of quotas, time or sockets. Grammar: the
vendor's streaming page; the order of the cached prefix is tools, system, messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from maxpool.sim.answers import Block, sign
from maxpool.sim.problems import Problem, invalid_request
from maxpool.sim.promptcache import Life, Piece
from maxpool.sim.prompts import (
    Frame,
    FrameKind,
    Prompt,
    Tool,
    chunks,
    dump,
    schema_in,
    text_of,
)
from maxpool.sim.ratelimits import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from maxpool.core.lease import TokenUsage
    from maxpool.sim.prompts import Reply

VERSIONS = ("2023-06-01", "2026-10-21")
REMOVED_2026_10_21 = ("temperature", "top_p", "top_k")
MAX_BREAKPOINTS = 4
CONTAINER_LIFE_S = 1800.0
BAD_SIGNATURE = "Invalid `signature` in `thinking` block"


class MessagesFace:
    """`POST /v1/messages`; satisfies `prompts.Face`."""

    def __init__(self, *, version: str = VERSIONS[0], check_signatures: bool = True) -> None:
        self._version = version
        self._check_signatures = check_signatures

    def read(self, body: Mapping[str, Any]) -> Prompt | Problem:
        """The request, or the vendor's complaint about it."""
        problem = self._fault_of(body)
        if problem is not None:
            return problem
        pieces = prefix(body)
        if sum(piece.life is not None for piece in pieces) > MAX_BREAKPOINTS:
            return invalid_request(
                "A maximum of 4 blocks with cache_control may be provided. Found more."
            )
        config = body.get("output_config")
        effort = config.get("effort") if isinstance(config, dict) else None
        return Prompt(
            model=body["model"],
            stream=body.get("stream") is True,
            max_tokens=body.get("max_tokens"),
            pieces=pieces,
            asked=_asked(body["messages"]),
            variant=f"{body['model']}|{effort}|{body.get('speed')}",
            tools=_tools(body.get("tools")),
            thinking=_thinking(body.get("thinking")),
            stop_sequences=tuple(s for s in body.get("stop_sequences") or () if isinstance(s, str)),
            schema=schema_in(body.get("output_config"), "format", "schema"),
            **_held(body),
        )

    def _fault_of(self, body: Mapping[str, Any]) -> Problem | None:
        problem = fault_of_prompt(body)
        if problem is not None:
            return problem
        limit = body.get("max_tokens")
        if limit is None:
            return invalid_request("max_tokens: Field required")
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            return invalid_request("max_tokens: Input should be greater than or equal to 1")
        if self._version == "2026-10-21":
            for name in REMOVED_2026_10_21:
                if name in body:
                    return invalid_request(f"{name}: Extra inputs are not permitted")
        return _bad_signature(body) if self._check_signatures else None

    def frames(self, reply: Reply, chunk_chars: int) -> list[Frame]:
        """message_start, blocks, message_delta with cumulative usage, message_stop."""
        out = [_frame("message_start", "open", message=_envelope(reply, [], None, output=1))]
        for index, block in enumerate(reply.answer.blocks):
            out += _block_frames(index, block, chunk_chars)
        delta = {
            "stop_reason": reply.answer.stop_reason,
            "stop_sequence": reply.answer.stop_sequence,
            **_container(reply),
        }
        usage = _usage(reply.usage, reply.usage.output)
        out.append(_frame("message_delta", "finish", delta=delta, usage=usage))
        out.append(_frame("message_stop", "end"))
        return out

    def document(self, reply: Reply) -> bytes:
        """The finished message."""
        content = [_content(block) for block in reply.answer.blocks]
        return dump(_envelope(reply, content, reply.answer.stop_reason, output=reply.usage.output))

    def complaint(self, problem: Problem, request_id: str) -> bytes:
        """The error envelope with its request id."""
        return dump({**_error(problem), "request_id": request_id})

    def complaint_event(self, problem: Problem) -> bytes:
        """`event: error`."""
        return sse("error", _error(problem))


def fault_of_prompt(body: Mapping[str, Any]) -> Problem | None:
    """What is wrong with the parts that `count_tokens` takes too."""
    if not isinstance(body.get("model"), str) or not body["model"]:
        return invalid_request("model: Field required")
    messages = body.get("messages")
    if not isinstance(messages, list):
        return invalid_request("messages: Field required")
    if not messages:
        return invalid_request("messages: at least one message is required")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in (
            "user",
            "assistant",
            "system",
        ):
            return invalid_request(f"messages.{index}.role: Input should be 'user' or 'assistant'")
        if not isinstance(message.get("content"), str | list):
            return invalid_request(f"messages.{index}.content: Field required")
    return None


def prefix(body: Mapping[str, Any]) -> tuple[Piece, ...]:
    """The prompt in cache order; a breakpoint's own mark is no part of what is cached."""
    pieces = [
        *_pieces(body.get("tools"), "tool"),
        *_pieces(body.get("system"), "system"),
    ]
    for message in body["messages"]:
        pieces += _pieces(message["content"], str(message["role"]))
    automatic = _life(body)
    if automatic is not None and pieces and pieces[-1].life is None:
        pieces[-1] = Piece(pieces[-1].data, automatic)
    return tuple(pieces)


def sse(name: str, data: object) -> bytes:
    """One named event."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), dump(data))


def _pieces(content: object, role: str) -> Iterator[Piece]:
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list):
        return
    for block in content:
        if not isinstance(block, dict):
            continue
        life = _life(block)
        bare = {k: v for k, v in block.items() if k != "cache_control"} if life else block
        yield Piece(role.encode() + dump(bare), life)


def _life(block: Mapping[str, Any]) -> Life | None:
    control = block.get("cache_control")
    if not isinstance(control, dict):
        return None
    return "1h" if control.get("ttl") == "1h" else "5m"


def _asked(messages: list[dict[str, Any]]) -> str:
    for message in reversed(messages):
        if message["role"] == "user":
            return text_of(message["content"])
    return ""


def _held(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the request names of things that its account holds."""
    container, thread = body.get("container"), body.get("thread")
    named = container.get("id") if isinstance(container, dict) else container
    tools = body.get("tools") or ()
    runs = any(str(t.get("type", "")).startswith("code_exec") for t in tools if isinstance(t, dict))
    blocks = (
        b for one in body["messages"] if isinstance(one["content"], list) for b in one["content"]
    )
    sources = ((b.get("source") or b) for b in blocks if isinstance(b, dict))
    files = (s.get("file_id") for s in sources if isinstance(s, dict))
    threaded = isinstance(thread, dict)
    return {
        "files": tuple(f for f in files if isinstance(f, str)),
        "container": named,
        "in_container": runs or container is not None,
        "threaded": threaded,
        "goes_on": thread.get("previous_message_id") if isinstance(thread, dict) else None,
    }


def _tools(tools: object) -> tuple[Tool, ...]:
    if not isinstance(tools, list):
        return ()
    return tuple(
        Tool(name=str(tool["name"]), schema=_schema(tool.get("input_schema")))
        for tool in tools
        if isinstance(tool, dict) and isinstance(tool.get("name"), str)
    )


def _schema(schema: object) -> Mapping[str, Any]:
    return schema if isinstance(schema, dict) else {}


def _thinking(config: object) -> Literal["off", "shown", "omitted"]:
    if not isinstance(config, dict) or config.get("type") not in ("enabled", "adaptive"):
        return "off"
    return "omitted" if config.get("display") == "omitted" else "shown"


def _bad_signature(body: Mapping[str, Any]) -> Problem | None:
    for m, message in enumerate(body["messages"]):
        content = message["content"]
        if message["role"] != "assistant" or not isinstance(content, list):
            continue
        for c, block in enumerate(content):
            if not isinstance(block, dict) or block.get("type") != "thinking":
                continue
            if block.get("signature") != sign(body["model"], str(block.get("thinking", ""))):
                return invalid_request(f"messages.{m}.content.{c}: {BAD_SIGNATURE}")
    return None


def _frame(name: str, kind: FrameKind, tokens: int = 0, **fields: object) -> Frame:
    return Frame(sse(name, {"type": name, **fields}), kind, tokens)


def _block_frames(index: int, block: Block, chunk_chars: int) -> Iterator[Frame]:
    yield _frame(
        "content_block_start", "start", index=index, content_block=_content(block, opening=True)
    )
    if index == 0:
        yield _frame("ping", "ping")
    field, delta = {
        "text": ("text", "text_delta"),
        "thinking": ("thinking", "thinking_delta"),
        "tool_use": ("partial_json", "input_json_delta"),
    }[block.kind]
    if block.text:
        for part in chunks(block.text, chunk_chars):
            yield _frame(
                "content_block_delta",
                "delta",
                max(1, len(part) // 4),
                index=index,
                delta={"type": delta, field: part},
            )
    if block.signature:
        signed = {"type": "signature_delta", "signature": block.signature}
        yield _frame("content_block_delta", "delta", index=index, delta=signed)
    yield _frame("content_block_stop", "stop", index=index)


def _content(block: Block, *, opening: bool = False) -> dict[str, Any]:
    text = "" if opening else block.text
    match block.kind:
        case "thinking":
            signature = "" if opening else block.signature
            return {"type": "thinking", "thinking": text, "signature": signature}
        case "tool_use":
            arguments = {} if opening else msgspec.json.decode(text)
            return {
                "type": "tool_use",
                "id": block.tool_id,
                "name": block.tool_name,
                "input": arguments,
            }
        case "text":
            return {"type": "text", "text": text}


def _envelope(
    reply: Reply, content: list[dict[str, Any]], stop_reason: str | None, *, output: int
) -> dict[str, Any]:
    return {
        **(_container(reply) if stop_reason else {}),
        "id": f"msg_{reply.answer.id}",
        "type": "message",
        "role": "assistant",
        "model": reply.prompt.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": reply.answer.stop_sequence if stop_reason else None,
        "usage": {
            **_usage(reply.usage, output),
            "cache_creation": {
                "ephemeral_5m_input_tokens": reply.usage.cache_write_5m,
                "ephemeral_1h_input_tokens": reply.usage.cache_write_1h,
            },
            "service_tier": "standard",
        },
    }


def _container(reply: Reply) -> dict[str, Any]:
    if reply.container is None:
        return {}
    return {
        "container": {"id": reply.container, "expires_at": rfc3339(reply.at + CONTAINER_LIFE_S)}
    }


def _usage(usage: TokenUsage, output: int) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": output,
    }


def _error(problem: Problem) -> dict[str, Any]:
    error: dict[str, Any] = {"type": problem.kind, "message": problem.message}
    if problem.error_code is not None:
        error["details"] = {"error_code": problem.error_code}
    return {"type": "error", "error": error}

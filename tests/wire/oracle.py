"""The official SDKs' own types as judges of translated requests."""

from __future__ import annotations

import json
from typing import Any

from anthropic.types import (
    Base64ImageSourceParam,
    DocumentBlockParam,
    ImageBlockParam,
    RedactedThinkingBlockParam,
    TextBlockParam,
    ThinkingBlockParam,
    ToolParam,
    ToolResultBlockParam,
    ToolUseBlockParam,
    URLImageSourceParam,
    WebSearchTool20250305Param,
)
from anthropic.types.message_create_params import MessageCreateParamsBase
from pydantic import TypeAdapter

OLDER = frozenset({"temperature", "top_p", "top_k", "stream"})
"""Members of earlier API versions, and the one that tells two of the SDK's request types apart."""

_BLOCKS: dict[str, Any] = {
    "text": TextBlockParam,
    "image": ImageBlockParam,
    "document": DocumentBlockParam,
    "thinking": ThinkingBlockParam,
    "redacted_thinking": RedactedThinkingBlockParam,
    "tool_use": ToolUseBlockParam,
    "tool_result": ToolResultBlockParam,
}
_IMAGES: dict[str, Any] = {"base64": Base64ImageSourceParam, "url": URLImageSourceParam}
_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def messages_request(body: bytes) -> dict[str, Any]:
    """The request, once the Anthropic SDK's types know every member of it."""
    told: dict[str, Any] = json.loads(body)
    _known({key: value for key, value in told.items() if key not in OLDER}, MessageCreateParamsBase)
    for tool in told.get("tools", ()):
        _known(tool, WebSearchTool20250305Param if "type" in tool else ToolParam)
    blocks(told.get("system", []))
    for turn in told["messages"]:
        assert set(turn) == {"role", "content"}
        assert turn["role"] in ("user", "assistant")
        assert turn["content"], "an empty turn is refused"
        blocks(turn["content"])
    return told


def blocks(content: Any) -> None:
    if isinstance(content, str):
        return
    for block in content:
        _known(block, _BLOCKS[block["type"]])
        if block["type"] == "image":
            _known(block["source"], _IMAGES[block["source"]["type"]])
        if block["type"] == "tool_result":
            blocks(block.get("content", []))


def _known(value: dict[str, Any], kind: Any) -> None:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    _ADAPTERS[kind].validate_python(value, strict=True)
    unknown = set(value) - set(kind.__annotations__)
    assert not unknown, f"{kind.__name__} has no {unknown}"

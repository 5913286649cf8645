"""Blocks of a body: what they show is the same whichever way they were read."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.wire.blocks import MAX_DEPTH, Found, note_ttl, walk_blocks
from maxpool.wire.body import parse

SIGNED = {"type": "thinking", "thinking": "...", "signature": "abc"}
PICTURE = {"type": "image", "source": {"type": "base64", "data": "x" * 400}}
PAPER = {"type": "document", "source": {"type": "base64", "data": "x" * 640}}
FILE = {"type": "image", "source": {"type": "file", "file_id": "file_011"}}
UPLOAD = {"type": "container_upload", "file_id": "file_012"}
LONG = {"type": "text", "text": "t", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
SHORT = {"type": "text", "text": "t", "cache_control": {"type": "ephemeral"}}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": [PICTURE, SHORT]}
HIDDEN = {"type": "redacted_thinking", "data": "..."}
KNOWN: list[dict[str, Any]] = [SIGNED, PICTURE, PAPER, FILE, UPLOAD, LONG, SHORT, RESULT, HIDDEN]
ODD = {"role": "user", "content": None}
"""A message of a shape that no API documents: the others are then read as they were written."""


def shown(*messages: dict[str, Any]) -> tuple[Any, ...]:
    body = parse(json.dumps({"model": "m", "messages": messages}).encode())
    return body.needs, body.signed_thinking, body.cache_ttl_s, body.resources


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


contents = st.one_of(st.text(max_size=5), st.lists(st.sampled_from(KNOWN), max_size=4))


@given(st.lists(contents, max_size=4))
def test_one_odd_message_changes_nothing_of_what_the_others_show(found: list[Any]):
    messages = [{"role": "user", "content": content} for content in found]
    assert shown(*messages) == shown(*messages, ODD)


@pytest.mark.parametrize("kept", range(len(KNOWN)), ids=[str(b["type"]) for b in KNOWN])
def test_each_kind_of_block_shows_what_it_is(kept: int):
    found = Found()
    walk_blocks(raw([KNOWN[kept]]), found)
    told = (found.signed, found.images, found.document_bytes, found.cache_ttl_s, found.resources)
    assert (
        told
        == [
            (True, 0, 0, 300.0, []),
            (False, 1, 0, 300.0, []),
            (False, 0, 642, 300.0, []),
            (False, 1, 0, 300.0, ["file_011"]),
            (False, 0, 0, 300.0, ["file_012"]),
            (False, 0, 0, 3600.0, []),
            (False, 0, 0, 300.0, []),
            (False, 1, 0, 300.0, []),
            (True, 0, 0, 300.0, []),
        ][kept]
    )


def test_a_signature_without_a_letter_signs_nothing():
    found = Found()
    walk_blocks(raw([SIGNED | {"signature": ""}]), found)
    assert not found.signed


def test_blocks_are_followed_only_so_deep():
    for depth, seen in ((MAX_DEPTH, 1), (MAX_DEPTH + 1, 0)):
        content: list[Any] = [PICTURE]
        for _ in range(depth):
            content = [{"type": "tool_result", "content": content}]
        found = Found()
        walk_blocks(raw(content), found)
        assert found.images == seen


def test_cache_control_of_another_shape_is_passed_over():
    found = Found()
    odds: list[object] = [{"ttl": 1}, {}, [], "1h", None]
    for odd in odds:
        note_ttl(raw(odd), found)
    assert found.cache_ttl_s == 300.0


def needs(*blocks: dict[str, Any], role: str = "user", **more: Any) -> set[str]:
    last = {"role": "user", "content": "go on"}
    messages = [{"role": role, "content": list(blocks)}, last]
    body = {"model": "m", "messages": messages, **more}
    return set(parse(json.dumps(body).encode()).needs)


@pytest.mark.parametrize(
    ("block", "word"),
    [
        (PAPER, "documents"),
        ({"type": "document", "source": {"type": "url", "url": "https://x/a.pdf"}}, "documents"),
        ({"type": "document", "source": {"type": "text", "data": "a"}}, None),
        ({"type": "document", "source": {"type": "content", "content": "a"}}, None),
        (
            {"type": "document", "source": {"type": "text"}, "citations": {"enabled": True}},
            "citations",
        ),
        ({"type": "search_result", "citations": {"enabled": True}}, "citations"),
        ({"type": "search_result", "citations": {"enabled": False}}, None),
        ({"type": "server_tool_use"}, "server_tools"),
        ({"type": "web_search_tool_result"}, "server_tools"),
        ({"type": "mcp_tool_use"}, "server_tools"),
        (UPLOAD, "server_tools"),
        ({"type": "compaction"}, "compaction"),
        ({"type": "thinking", "thinking": "..."}, "unsigned_thinking"),
        ({"type": "thinking", "thinking": "...", "signature": ""}, "unsigned_thinking"),
        (SIGNED, None),
        ({"type": "tool_use"}, None),
        ({"type": "tool_result", "content": []}, None),
    ],
)
def test_a_block_that_another_api_may_have_no_place_for_names_its_need(  # P2
    block: dict[str, Any], word: str | None
):
    assert needs(block) == ({word} if word else set())


@pytest.mark.parametrize(
    ("tool", "there"),
    [
        ({"name": "a", "description": "web_search_20250305"}, False),
        ({"name": "a", "type": "custom", "description": "_20"}, False),
        ({"name": "web_search", "type": "web_search_20250305"}, True),
        ({"name": "bash", "type": "bash_20250124"}, True),
    ],
)
def test_tools_of_anthropics_own_are_told_from_those_of_the_client(tool, there):
    assert ("server_tools" in needs(tools=[tool])) is there

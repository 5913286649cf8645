"""Where a request's prompt cache shall hold on: for clients whose API has no marks of its own.

OpenAI caches prefixes by itself; Claude caches what is marked. Without marks every turn of a
conversation would be paid in full again, so up to three are set, always at the same places:
after the tools and the system prompt, and at the ends of the last two turns of the user (the
earlier one is where the request before this one ended, so its entry is found however long the last
turn is). A first message without tools is as often the only one and gets none: a write costs a
quarter more than a plain read. What the client marked itself is kept, the latest four of it.

Marks stand on blocks, which every service that speaks Messages knows. Decides nothing else.

Source: platform.claude.com/docs/en/build-with-claude/prompt-caching.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_MARKS: Final = 4
"""What Messages takes in one request; OpenAI's API, too, writes the latest of more."""

KEPT_TURNS: Final = 2
"""Turns of the user that end in a mark."""

_MARK: Final = {"type": "ephemeral"}
_UNMARKABLE: Final = frozenset({"thinking", "redacted_thinking"})


def mark(body: dict[str, Any]) -> None:
    """Add `cache_control` to a Messages request in place; texts of marked turns become blocks."""
    own = [block for block in _blocks(body) if "cache_control" in block]
    for block in own[:-MAX_MARKS]:
        del block["cache_control"]
    if not own:
        _mark_head(body)
        _mark_turns(body)


def _blocks(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every block that may hold a mark, in the order in which the cache reads them."""
    yield from body.get("tools") or ()
    for content in (body.get("system"), *(turn["content"] for turn in body["messages"])):
        if isinstance(content, list):
            yield from content


def _mark_head(body: dict[str, Any]) -> None:
    """The end of the system prompt, which comes after the tools; of the tools where there is none."""
    system = body.get("system")
    if isinstance(system, str) and system:
        body["system"] = system = [{"type": "text", "text": system}]
    _mark_last(system or body.get("tools") or [])


def _mark_turns(body: dict[str, Any]) -> None:
    turns = [turn for turn in body["messages"] if turn["role"] == "user"]
    if len(turns) < KEPT_TURNS and not body.get("tools"):
        return
    for turn in turns[-KEPT_TURNS:]:
        if isinstance(turn["content"], str):
            turn["content"] = [{"type": "text", "text": turn["content"]}]
        _mark_last(turn["content"])


def _mark_last(blocks: list[dict[str, Any]]) -> None:
    for block in reversed(blocks):
        if block.get("type") not in _UNMARKABLE:
            block["cache_control"] = dict(_MARK)
            return

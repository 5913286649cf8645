"""JSON schemas for outputs: what OpenAI's clients send, as Claude's structured outputs take it.

Claude wants every object closed (`additionalProperties: false`). Closing one that was left open only
narrows it: each answer still fits the schema that was asked for. Everything else stays as written;
keywords that an upstream lacks are its own to refuse.

Source: platform.claude.com/docs/en/build-with-claude/structured-outputs.
"""

from __future__ import annotations

from typing import Any, Final

MAX_DEPTH: Final = 100
"""Deeper than any schema a person writes; below it nothing is changed."""

_MANY: Final = ("properties", "$defs", "definitions")
_LISTS: Final = ("anyOf", "allOf", "oneOf", "prefixItems")


def closed(schema: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """The schema with its objects closed where they list properties and say nothing of others."""
    if depth > MAX_DEPTH:
        return schema
    made = dict(schema)
    for key in _MANY:
        if isinstance(made.get(key), dict):
            made[key] = {name: _inner(one, depth) for name, one in made[key].items()}
    for key in _LISTS:
        if isinstance(made.get(key), list):
            made[key] = [_inner(one, depth) for one in made[key]]
    if "items" in made:
        made["items"] = _inner(made["items"], depth)
    if "properties" in made:
        made.setdefault("additionalProperties", False)
    return made


def _inner(schema: object, depth: int) -> object:
    return closed(schema, depth + 1) if isinstance(schema, dict) else schema

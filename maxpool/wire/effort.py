"""How much a model shall think: the levels OpenAI's clients name, as Claude models take them.

Models since 4.6 decide for themselves (`thinking: adaptive`) under `output_config.effort`; earlier ones
take a budget of tokens. A name that is no Claude model's (an alias, another provider's) gets the
newer form. Decides nothing else: what a model refuses, its upstream says.

Source: platform.claude.com/docs/en/build-with-claude/adaptive-thinking and .../effort.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Any, Final

MIN_BUDGET_TOKENS: Final = 1_024
"""The least a model with a thinking budget takes."""

# Claude's levels begin at `low`: `minimal` is the nearest to it.
_LEVELS: Final = MappingProxyType(
    {
        "minimal": ("low", MIN_BUDGET_TOKENS),
        "low": ("low", 2_048),
        "medium": ("medium", 8_192),
        "high": ("high", 16_384),
        "xhigh": ("xhigh", 24_576),
        "max": ("max", 32_768),
    }
)
LEVELS: Final = ("none", *_LEVELS)

_BUDGETED: Final = re.compile(
    r"claude-(?:[123][-.]|(?:opus|sonnet|haiku)-4(?:[-.][0-5])?(?![-.]?\d\b))"
)


def thinking_for(
    level: str, *, model: str, max_tokens: int, forced: bool, in_tool_loop: bool
) -> dict[str, Any]:
    """The members `thinking` and `output_config` of a Messages request for one of `LEVELS`.

    `forced`: a tool must be called, which no Claude model combines with thinking. `in_tool_loop`: the
    request ends in tool results; a model with a budget then wants the thinking that led to the
    calls, which OpenAI's Chat format has no place for, so it goes on without.
    """
    if _BUDGETED.search(model):
        return {} if forced or in_tool_loop else _budgeted(level, max_tokens)
    if level == "none":
        return {"thinking": {"type": "disabled"}}
    told: dict[str, Any] = {} if forced else {"thinking": {"type": "adaptive"}}
    return told | {"output_config": {"effort": _LEVELS[level][0]}}


def _budgeted(level: str, max_tokens: int) -> dict[str, Any]:
    """At most half of the answer goes into thinking; nothing where that is too little."""
    budget = min(_LEVELS[level][1], max_tokens // 2) if level in _LEVELS else 0
    if budget < MIN_BUDGET_TOKENS:
        return {}
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}

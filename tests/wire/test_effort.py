"""wire/effort: levels of reasoning as each Claude model takes them."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic.types import OutputConfigParam, ThinkingConfigParam
from pydantic import TypeAdapter

from maxpool.wire.effort import LEVELS, MIN_BUDGET_TOKENS, thinking_for

ADAPTIVE = ["claude-opus-4-6", "claude-opus-4-8", "claude-sonnet-5", "claude-opus-5-5", "fast"]
BUDGETED = [
    "claude-3-7-sonnet-20250219",
    "claude-opus-4-20250514",
    "claude-opus-4-1-20250805",
    "claude-sonnet-4-5",
    "anthropic/claude-haiku-4-5-20251001",
]


def made(level: str = "high", model: str = "claude-opus-5-5", **more: Any) -> dict[str, Any]:
    given = {"max_tokens": 64_000, "forced": False, "in_tool_loop": False} | more
    return thinking_for(level, model=model, **given)


@pytest.mark.parametrize("model", ADAPTIVE)
def test_newer_models_and_unknown_names_decide_for_themselves(model):
    wanted = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}
    assert made(model=model) == wanted


@pytest.mark.parametrize("model", BUDGETED)
def test_earlier_models_get_a_budget(model):
    assert made(model=model) == {"thinking": {"type": "enabled", "budget_tokens": 16_384}}


def test_a_budget_leaves_half_of_the_answer_and_none_below_the_least():
    model = BUDGETED[0]
    told = made(model=model, max_tokens=8_000)
    assert told["thinking"]["budget_tokens"] == 4_000
    assert made(model=model, max_tokens=2 * MIN_BUDGET_TOKENS - 1) == {}


def test_no_reasoning_is_said_to_those_who_reason_by_themselves():
    assert made("none") == {"thinking": {"type": "disabled"}}
    assert made("none", model=BUDGETED[0]) == {}


@pytest.mark.parametrize("why", ["forced", "in_tool_loop"])
def test_an_earlier_model_goes_without_where_it_would_refuse(why):
    given: dict[str, Any] = {why: True}
    assert made(model=BUDGETED[0], **given) == {}


def test_a_forced_call_keeps_the_effort():
    assert made(forced=True) == {"output_config": {"effort": "high"}}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("model", [ADAPTIVE[0], BUDGETED[0]])
def test_the_sdk_knows_every_form(level, model):
    told = made(level, model)
    if "thinking" in told:
        TypeAdapter(ThinkingConfigParam).validate_python(told["thinking"])
    TypeAdapter(OutputConfigParam).validate_python(told.get("output_config", {}))

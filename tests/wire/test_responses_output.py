from __future__ import annotations

import json

from openai.types.responses import Response, ResponseUsage

from maxpool.wire.responses_output import Asked, base_of, call_item, citation, usage_told
from maxpool.wire.responses_tools import Named


def asked(**told: object) -> Asked:
    return Asked.of(json.dumps({"model": "m"} | told).encode(), 5.9)


def test_a_response_has_every_member_that_the_sdk_wants():
    told = Asked.of(b'{"model": "m"}', 5.9).response("x", "in_progress", [])
    read = Response.model_validate_json(
        json.dumps(told, default=lambda raw: json.loads(bytes(raw)))
    )
    assert (read.id, read.created_at, read.parallel_tool_calls) == ("resp_x", 5, True)
    assert (read.tool_choice, read.tools, read.temperature) == ("auto", [], 1.0)


def test_a_null_is_as_good_as_nothing():
    assert bytes(asked(temperature=None).echo["temperature"]) == b"1.0"
    assert asked(reasoning=None, include=None, tools=None).names == {}


def test_a_summary_is_told_by_either_of_its_names():
    assert asked(reasoning={"summary": "auto"}).summary
    assert asked(reasoning={"generate_summary": "concise"}).summary
    assert not asked(reasoning={"effort": "low"}).summary


def test_junk_asks_for_nothing():
    assert Asked.of(b"no json", 5.0).model == ""
    assert asked(include=7, reasoning=[]).sources is False


def test_ids_are_made_of_the_answer_s_own_or_else_the_request_s():
    assert base_of("msg_01", "req_7") == "01"
    assert base_of(None, "req_7") == "7"
    assert base_of(7, "") == "0"


def test_usage_is_the_sdk_s():
    told = usage_told({"input_tokens": 1, "cache_read_input_tokens": 2, "output_tokens": 4})
    usage = ResponseUsage.model_validate(told)
    assert (usage.input_tokens, usage.total_tokens) == (3, 7)


def test_thinking_tokens_are_told_apart():
    told = usage_told({"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 5}})
    assert told["output_tokens_details"] == {"reasoning_tokens": 5}


def test_a_call_has_the_members_of_its_kind():
    plain = call_item("fc_1", Named("f", "ns"), "c", "{}", "completed")
    free = call_item("ctc_1", Named("p", free=True), "c", "text", "completed")
    assert (plain["type"], plain["arguments"], plain["namespace"]) == ("function_call", "{}", "ns")
    assert (free["type"], free["input"]) == ("custom_tool_call", "text")
    assert "namespace" not in free


def test_only_pages_are_cited():
    assert citation({"type": "char_location", "url": "u"}, 3) is None
    assert citation({"type": "web_search_result_location"}, 3) is None

import json
from typing import Any

import pytest

from maxpool.core.lease import TokenUsage
from maxpool.sim.answers import Answer, Block, sign
from maxpool.sim.messages import MessagesFace, prefix
from maxpool.sim.problems import Problem, burst
from maxpool.sim.prompts import Prompt, Reply

MODEL = "claude-sonnet-5-5"
USAGE = TokenUsage(input=3, output=20, cache_read=7, cache_write_5m=5, cache_write_1h=2)


def body(**changes: Any) -> dict[str, Any]:
    asked = [{"role": "user", "content": "hello"}]
    return {"model": MODEL, "max_tokens": 50, "messages": asked, **changes}


def read(**changes: Any) -> Prompt:
    prompt = MessagesFace().read(body(**changes))
    assert isinstance(prompt, Prompt), prompt
    return prompt


def complaint(face: MessagesFace | None = None, **changes: Any) -> Problem:
    problem = (face or MessagesFace()).read(body(**changes))
    assert isinstance(problem, Problem)
    assert problem.status == 400
    return problem


def reply(*blocks: Block) -> Reply:
    answer = Answer(id="0a", blocks=blocks, stop_reason="end_turn", output_tokens=20)
    return Reply(prompt=read(stream=True), answer=answer, usage=USAGE, at=0.0)


def events(frames) -> list[tuple[str, dict[str, Any]]]:
    out = []
    for frame in frames:
        name, data = frame.data.decode().rstrip("\n").split("\n")
        out.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return out


def test_a_stream_follows_the_grammar_event_by_event() -> None:
    frames = MessagesFace().frames(reply(Block(kind="text", text="abcdef")), 4)
    told = events(frames)
    assert [name for name, _ in told] == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert all(data["type"] == name for name, data in told)
    assert "".join(d["delta"]["text"] for n, d in told if n == "content_block_delta") == "abcdef"


def test_usage_at_the_end_is_cumulative() -> None:
    told = dict(events(MessagesFace().frames(reply(Block(kind="text", text="a")), 4)))
    assert told["message_start"]["message"]["usage"]["output_tokens"] == 1
    assert told["message_delta"]["usage"] == {
        "input_tokens": 3,
        "cache_creation_input_tokens": 7,
        "cache_read_input_tokens": 7,
        "output_tokens": 20,
    }


def test_thinking_ends_with_its_signature_and_tools_stream_their_json() -> None:
    thought = Block(kind="thinking", text="hm", signature="sig")
    call = Block(kind="tool_use", text='{"a":1}', tool_id="toolu_1", tool_name="Read")
    told = events(MessagesFace().frames(reply(thought, call), 4))
    deltas = [d["delta"] for n, d in told if n == "content_block_delta"]
    assert [d["type"] for d in deltas] == [
        "thinking_delta",
        "signature_delta",
        "input_json_delta",
        "input_json_delta",
    ]
    assert json.loads("".join(d.get("partial_json", "") for d in deltas)) == {"a": 1}


def test_the_document_splits_cache_writes_by_life() -> None:
    call = Block(kind="tool_use", text='{"a":1}', tool_id="toolu_1", tool_name="Read")
    message = json.loads(MessagesFace().document(reply(call)))
    assert message["content"][0]["input"] == {"a": 1}
    assert message["usage"]["cache_creation"] == {
        "ephemeral_5m_input_tokens": 5,
        "ephemeral_1h_input_tokens": 2,
    }
    assert message["stop_reason"] == "end_turn"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": None}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
    ],
)
def test_a_broken_request_is_told_what_is_wrong(changes, words) -> None:
    assert words in complaint(**changes).message


def test_the_newer_version_takes_no_temperature() -> None:
    assert "temperature" in complaint(MessagesFace(version="2026-10-21"), temperature=1).message
    assert read(temperature=1).model == MODEL


def test_a_fifth_breakpoint_is_one_too_many() -> None:
    block = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    assert len(read(system=[block] * 4).pieces) == 5
    assert "cache_control" in complaint(system=[block] * 5).message


def test_the_prefix_runs_from_tools_over_system_to_messages() -> None:
    tools = [{"name": "Read"}]
    pieces = prefix(body(tools=tools, system="rules"))
    assert [p.data.split(b"{")[0] for p in pieces] == [b"tool", b"system", b"user"]


def test_moving_a_breakpoint_leaves_the_cached_text_the_same() -> None:
    plain = {"type": "text", "text": "x"}
    marked = {**plain, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    one, two = prefix(body(system=[plain]))[0], prefix(body(system=[marked]))[0]
    assert one.data == two.data
    assert (one.life, two.life) == (None, "1h")


def test_a_mark_on_the_whole_request_caches_all_of_it() -> None:
    assert read(cache_control={"type": "ephemeral"}).pieces[-1].life == "5m"


def test_only_the_models_own_thinking_may_come_back() -> None:
    def history(signature: str) -> list[dict[str, Any]]:
        block = {"type": "thinking", "thinking": "hm", "signature": signature}
        return [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [block]},
            {"role": "user", "content": "b"},
        ]

    assert read(messages=history(sign(MODEL, "hm"))).asked == "b"
    problem = complaint(messages=history(sign("claude-opus-5-5", "hm")))
    assert problem.message == "messages.1.content.0: Invalid `signature` in `thinking` block"
    trusting = MessagesFace(check_signatures=False)
    assert isinstance(trusting.read(body(messages=history("foreign"))), Prompt)


def test_effort_splits_the_cache() -> None:
    assert read(output_config={"effort": "low"}).variant != read().variant


def test_thinking_is_off_shown_or_omitted() -> None:
    assert read().thinking == "off"
    assert read(thinking={"type": "enabled"}).thinking == "shown"
    assert read(thinking={"type": "adaptive", "display": "omitted"}).thinking == "omitted"


def test_errors_have_the_vendors_envelope() -> None:
    told = json.loads(MessagesFace().complaint(burst(2), "req_1"))
    assert told == {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": "Rate limited"},
        "request_id": "req_1",
    }
    coded = Problem(status=429, kind="rate_limit_error", message="m", error_code="ramp")
    event = MessagesFace().complaint_event(coded)
    assert event.startswith(b"event: error\ndata: ")
    assert b'"details":{"error_code":"ramp"}' in event

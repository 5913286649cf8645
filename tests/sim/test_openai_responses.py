import json
from typing import Any

from maxpool.core.lease import TokenUsage
from maxpool.sim.answers import Answer, Block
from maxpool.sim.faults import overloaded
from maxpool.sim.openai_responses import ResponsesFace
from maxpool.sim.problems import Problem
from maxpool.sim.prompts import Prompt, Reply

USAGE = TokenUsage(input=3, output=20, cache_read=7)
TEXT = Block(kind="text", text="abcdef")
CALL = Block(kind="tool_use", text='{"a":1}', tool_id="toolu_1", tool_name="Read")


def reply(*blocks: Block, stop="end_turn") -> Reply:
    prompt = ResponsesFace().read({"model": "big-model", "input": "hi", "stream": True})
    assert isinstance(prompt, Prompt)
    answer = Answer(id="0a", blocks=blocks, stop_reason=stop, output_tokens=20)
    return Reply(prompt=prompt, answer=answer, usage=USAGE, at=12.5)


def events(*blocks: Block, stop="end_turn") -> list[dict[str, Any]]:
    frames = ResponsesFace().frames(reply(*blocks, stop=stop), 4)
    out = []
    for frame in frames:
        name, data = frame.data.decode().rstrip("\n").split("\n")
        out.append(json.loads(data.removeprefix("data: ")))
        assert out[-1]["type"] == name.removeprefix("event: ")
    return out


def test_sequence_numbers_count_without_gaps() -> None:
    told = events(TEXT, CALL)
    assert [t["sequence_number"] for t in told] == list(range(len(told)))


def test_a_message_is_opened_spoken_and_closed() -> None:
    assert [t["type"].removeprefix("response.") for t in events(TEXT)] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


def test_the_last_event_holds_the_whole_response_with_its_usage() -> None:
    last = events(TEXT)[-1]["response"]
    assert last == json.loads(ResponsesFace().document(reply(TEXT)))
    assert last["output"][0]["content"][0]["text"] == "abcdef"
    assert last["usage"]["input_tokens_details"]["cached_tokens"] == 7


def test_function_calls_stream_their_arguments() -> None:
    told = events(CALL, stop="tool_use")
    parts = [t["delta"] for t in told if t["type"].endswith("arguments.delta")]
    assert "".join(parts) == '{"a":1}'
    assert told[-1]["response"]["output"][0]["call_id"] == "call_1"


def test_an_answer_cut_by_the_limit_is_incomplete() -> None:
    last = events(TEXT, stop="max_tokens")[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


def test_hidden_thinking_is_no_output_item() -> None:
    thought = Block(kind="thinking", text="hm", signature="s")
    assert len(events(thought, TEXT)[-1]["response"]["output"]) == 1


def test_instructions_lead_the_cached_prefix() -> None:
    prompt = ResponsesFace().read({"model": "m", "input": "hi", "instructions": "be kind"})
    assert isinstance(prompt, Prompt)
    assert b"be kind" in prompt.pieces[0].data
    assert prompt.asked == "hi"


def test_a_request_without_input_is_refused() -> None:
    assert isinstance(ResponsesFace().read({"model": "m"}), Problem)
    assert isinstance(ResponsesFace().read({"input": "x"}), Problem)


def test_a_stream_that_breaks_down_says_failed() -> None:
    event = ResponsesFace().complaint_event(overloaded().problem)
    assert event.startswith(b"event: response.failed\n")
    assert b"server_is_overloaded" in event

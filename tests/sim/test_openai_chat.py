import json
from typing import Any

from maxpool.core.lease import TokenUsage
from maxpool.sim.answers import Answer, Block
from maxpool.sim.openai_chat import ChatFace
from maxpool.sim.problems import Problem, unauthenticated
from maxpool.sim.prompts import Prompt, Reply

USAGE = TokenUsage(input=3, output=20, cache_read=7)


def read(**changes) -> Prompt | Problem:
    asked = [{"role": "user", "content": "hi"}]
    return ChatFace().read({"model": "big-model", "messages": asked, **changes})


def reply(*blocks: Block, stop="end_turn", **changes) -> Reply:
    prompt = read(stream=True, **changes)
    assert isinstance(prompt, Prompt)
    answer = Answer(id="0a", blocks=blocks, stop_reason=stop, output_tokens=20)
    return Reply(prompt=prompt, answer=answer, usage=USAGE, at=12.5)


def lines(frames) -> list[Any]:
    data = [frame.data.decode().removeprefix("data: ").strip() for frame in frames]
    return [line if line == "[DONE]" else json.loads(line) for line in data]


def test_a_stream_ends_with_its_reason_and_done() -> None:
    told = lines(ChatFace().frames(reply(Block(kind="text", text="abcdef")), 4))
    assert told[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [t["choices"][0]["delta"].get("content") for t in told[1:3]] == ["abcd", "ef"]
    assert told[-2]["choices"][0]["finish_reason"] == "stop"
    assert told[-1] == "[DONE]"
    assert not any(t.get("usage") for t in told[:-1])


def test_usage_comes_in_a_chunk_of_its_own_when_asked_for() -> None:
    asked = reply(Block(kind="text", text="a"), stream_options={"include_usage": True})
    told = lines(ChatFace().frames(asked, 4))
    assert told[-2]["choices"] == []
    assert told[-2]["usage"]["prompt_tokens"] == 10
    assert told[-2]["usage"]["prompt_tokens_details"]["cached_tokens"] == 7


def test_tool_calls_stream_their_arguments() -> None:
    call = Block(kind="tool_use", text='{"a":1}', tool_id="toolu_1", tool_name="Read")
    told = lines(ChatFace().frames(reply(call, stop="tool_use"), 4))
    deltas = [t["choices"][0]["delta"]["tool_calls"][0] for t in told[1:4]]
    assert deltas[0]["function"] == {"name": "Read", "arguments": ""}
    assert "".join(d["function"]["arguments"] for d in deltas) == '{"a":1}'
    assert told[-2]["choices"][0]["finish_reason"] == "tool_calls"


def test_the_document_holds_text_calls_and_usage() -> None:
    call = Block(kind="tool_use", text="{}", tool_id="toolu_1", tool_name="Read")
    told = json.loads(ChatFace().document(reply(call, stop="tool_use")))
    assert told["object"] == "chat.completion"
    assert told["choices"][0]["message"]["content"] is None
    assert told["choices"][0]["message"]["tool_calls"][0]["id"] == "call_1"
    assert told["usage"]["total_tokens"] == 30


def test_a_request_without_messages_or_model_is_refused() -> None:
    broken: list[dict[str, Any]] = [{"messages": []}, {"model": ""}, {"messages": ["x"]}]
    for changes in broken:
        assert isinstance(read(**changes), Problem)


def test_either_name_of_the_limit_counts() -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        prompt = read(**{name: 9})
        assert isinstance(prompt, Prompt)
        assert prompt.max_tokens == 9


def test_errors_have_openais_envelope_in_bodies_and_streams() -> None:
    problem = unauthenticated("no")
    told = json.loads(ChatFace().complaint(problem, "req_1"))
    assert told["error"]["code"] == "invalid_api_key"
    assert ChatFace().complaint_event(problem).startswith(b'data: {"error":')

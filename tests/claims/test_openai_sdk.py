"""OpenAI's own SDK against the proxy, as its users write it; the accounts speak Messages."""

from __future__ import annotations

import base64
import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from maxpool.sim import faults
from tests.rig import MODEL, rig

HELLO: Any = [{"role": "user", "content": "hello"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CLOCK: Any = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Answer(BaseModel):
    """What a structured answer holds."""

    city: str
    degrees: int


@pytest.fixture
async def pair():
    async with rig() as it, client_of(it.url) as client:
        yield it, client


def client_of(url: str, **more: Any) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0, **more)


def last(it) -> dict[str, Any]:
    """The last request that reached the upstream."""
    found: dict[str, Any] = json.loads(it.sim.requests[-1].body)
    return found


async def test_chat_is_answered_whole_and_as_a_stream(pair):  # P6
    it, client = pair
    whole = await client.chat.completions.create(model=MODEL, messages=HELLO)
    assert (whole.object, whole.model) == ("chat.completion", MODEL)
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage.prompt_tokens > 0
    chunks = [
        chunk
        async for chunk in await client.chat.completions.create(
            model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    ]
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert it.sim.requests[-1].path == "/v1/messages"
    assert it.sim.requests[-1].header("anthropic-version") == "2023-06-01"


async def test_responses_are_answered_whole_and_as_a_stream(pair):  # P6
    _, client = pair
    whole = await client.responses.create(model=MODEL, input="hello")
    assert (whole.status, whole.model) == ("completed", MODEL)
    async with client.responses.stream(model=MODEL, input="hello") as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert final.output_text == whole.output_text


async def test_tools_go_round_one_and_several_at_once(pair):  # P6
    it, client = pair
    asked = [{"role": "user", "content": "use all tools"}]
    answer = await client.chat.completions.create(
        model=MODEL, messages=asked, tools=[WEATHER, CLOCK]
    )
    calls = answer.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["weather", "clock"]
    assert answer.choices[0].finish_reason == "tool_calls"
    results = [{"role": "tool", "tool_call_id": call.id, "content": "sun"} for call in calls]
    turns = [*asked, answer.choices[0].message.to_dict(), *results]
    async with client.chat.completions.stream(
        model=MODEL, messages=turns, tools=[WEATHER, CLOCK]
    ) as stream:
        assert (await stream.get_final_completion()).choices[0].message.content
    sent = last(it)["messages"][-1]["content"]
    assert [block["tool_use_id"] for block in sent] == [call.id for call in calls]


async def test_tools_of_responses_go_round(pair):  # P6
    _, client = pair
    tool = {"type": "function", "strict": False, **WEATHER["function"]}
    first = await client.responses.create(model=MODEL, input="use a tool", tools=[tool])
    call = next(item for item in first.output if item.type == "function_call")
    given = {"type": "function_call_output", "call_id": call.call_id, "output": "sun"}
    turns = [{"role": "user", "content": "use a tool"}, *first.output, given]
    second = await client.responses.create(model=MODEL, input=turns, tools=[tool])
    assert second.status == "completed"


async def test_pictures_reach_the_model(pair):  # P6
    it, client = pair
    url = f"data:image/png;base64,{PIXEL}"
    await client.chat.completions.create(
        model=MODEL,
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "what is it"},
                    {"type": "image_url", "image_url": {"url": url}},
                ],
            }
        ],
    )
    image = last(it)["messages"][0]["content"][1]
    assert base64.b64decode(image["source"]["data"]) == base64.b64decode(PIXEL)
    parts = [{"type": "input_text", "text": "?"}, {"type": "input_image", "image_url": url}]
    await client.responses.create(model=MODEL, input=[{"role": "user", "content": parts}])
    assert last(it)["messages"][0]["content"][1]["source"]["media_type"] == "image/png"


async def test_structured_outputs_are_parsed(pair):  # P6
    _, client = pair
    chat = await client.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Answer)
    assert isinstance(chat.choices[0].message.parsed, Answer)
    parsed = await client.responses.parse(model=MODEL, input="hello", text_format=Answer)
    assert isinstance(parsed.output_parsed, Answer)


async def test_errors_are_the_sdks_own(pair):
    it, client = pair
    with pytest.raises(openai.BadRequestError, match="n: "):
        await client.chat.completions.create(model=MODEL, messages=HELLO, n=3)
    with pytest.raises(openai.NotFoundError) as missing:
        await client.chat.completions.create(model="nobody-has-this", messages=HELLO)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError, match="stores no responses"):
        await client.responses.retrieve("resp_1")
    it.sim.inject(faults.unauthorized(), None, times=None)
    with pytest.raises(openai.InternalServerError) as dead:
        await client.chat.completions.create(model=MODEL, messages=HELLO)
    assert dead.value.status_code == 502


async def test_models_are_listed_in_their_shape(pair):
    it, client = pair
    listed = [model.id async for model in client.models.list()]
    assert MODEL in listed
    assert (await client.models.retrieve(MODEL)).object == "model"
    assert (await it.get("/v1/models", {"anthropic-version": "2023-06-01"})).json["first_id"]
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("nobody-has-this")


@pytest.mark.parametrize("fault", [faults.overloaded(), faults.bare_429(), faults.status(500)])
async def test_another_account_serves_when_one_fails(pair, fault):
    it, client = pair
    it.sim.inject(fault, "a", times=None)
    raw = await client.chat.completions.with_raw_response.create(model=MODEL, messages=HELLO)
    assert raw.headers["x-maxpool-account"] == "b"
    assert not any(name.startswith("anthropic-") for name in raw.headers)
    response = await client.responses.create(model=MODEL, input="hello")
    assert response.status == "completed"


@pytest.mark.parametrize("after", ["delta", "block"])
async def test_a_cut_is_an_exception_and_never_a_short_answer(pair, after):
    it, client = pair
    it.sim.inject(faults.CutFault(after=after), "a")
    with pytest.raises(openai.APIError):
        async for _ in await client.chat.completions.create(
            model=MODEL, messages=HELLO, stream=True
        ):
            pass
    it.sim.inject(faults.CutFault(after=after), "a")
    with pytest.raises(openai.APIConnectionError):
        async for _ in await client.responses.create(model=MODEL, input="hello", stream=True):
            pass


async def test_a_stream_that_waits_is_kept_alive_in_its_own_form():
    queue = {"commit_after": 0.05, "heartbeat": 0.05}
    async with rig(queue=queue) as it, client_of(it.url) as client:
        for name in "abc":
            it.sim.inject(faults.HangFault(seconds=0.4), name)
        chunks = [
            chunk
            async for chunk in await client.chat.completions.create(
                model=MODEL, messages=HELLO, stream=True
            )
        ]
        assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
        for name in "abc":
            it.sim.inject(faults.HangFault(seconds=0.4), name)
        async with client.responses.stream(model=MODEL, input="hello") as stream:
            kinds = [event.type async for event in stream]
        assert kinds[:2] == ["response.created", "keepalive"]
        assert kinds[-1] == "response.completed"


async def test_the_session_is_the_one_that_the_client_names(pair):
    it, client = pair
    await client.chat.completions.create(model=MODEL, messages=HELLO, prompt_cache_key="mine")
    assert "mine" in it.proxy.pool.bindings.by_key
    await client.responses.create(model=MODEL, input="x", prompt_cache_key="other")
    assert "other" in it.proxy.pool.bindings.by_key

"""The official SDK against the proxy, as its users write it."""

from __future__ import annotations

import asyncio
from typing import Any

import anthropic
import pytest

from maxpool.sim import faults
from tests.rig import MODEL, key, rig

TOOL: Any = {
    "name": "weather",
    "description": "The weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
ASKED: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 300,
    "messages": [{"role": "user", "content": "hello"}],
}


def test_the_sync_client_streams_and_does_not():
    def use(url: str) -> None:
        with anthropic.Anthropic(base_url=url, api_key="x", max_retries=0) as client:
            answer = client.messages.create(**ASKED)
            assert answer.stop_reason == "end_turn"
            with client.messages.stream(**ASKED) as stream:
                text = "".join(stream.text_stream)
                assert stream.get_final_message().usage.output_tokens > 0
            assert text
            raw = client.messages.with_raw_response.create(**ASKED)
            assert raw.headers["x-maxpool-account"] == "b"

    async def run() -> None:
        async with rig() as it:
            it.sim.inject(faults.organization_disabled(), "a", times=None)
            await asyncio.to_thread(use, it.url)

    asyncio.run(run())


@pytest.fixture
async def pair():
    async with (
        rig() as it,
        anthropic.AsyncAnthropic(base_url=it.url, api_key="x", max_retries=0) as client,
    ):
        yield it, client


async def test_the_async_client_streams_and_does_not(pair):
    it, client = pair
    assert (await client.messages.create(**ASKED)).content
    async with client.messages.stream(**ASKED) as stream:
        kinds = [event.type async for event in stream]
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    assert it.asked() == ["a", "a"]
    assert it.sim.requests[-1].header("authorization") is None


async def test_tools_and_thinking_go_round(pair):
    _, client = pair
    asked = {**ASKED, "max_tokens": 3000, "messages": [{"role": "user", "content": "use a tool"}]}
    answer = await client.messages.create(**asked, tools=[TOOL])
    call = next(block for block in answer.content if block.type == "tool_use")
    assert (answer.stop_reason, call.name) == ("tool_use", "weather")
    turns = [
        *asked["messages"],
        {"role": "assistant", "content": answer.content},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sun"}],
        },
    ]
    again = {**asked, "messages": turns}
    async with client.messages.stream(**again, tools=[TOOL]) as stream:
        assert (await stream.get_final_message()).content
    thought = await client.messages.create(
        **asked, thinking={"type": "enabled", "budget_tokens": 1024}
    )
    assert thought.content[0].type == "thinking"


async def test_tokens_are_counted_and_models_listed(pair):
    _, client = pair
    counted = await client.messages.count_tokens(model=MODEL, messages=ASKED["messages"])
    assert counted.input_tokens > 0
    listed = [model.id async for model in client.models.list()]
    assert MODEL in listed
    assert listed == sorted(set(listed))


async def test_errors_arrive_as_the_sdks_own(pair):
    it, client = pair
    with pytest.raises(anthropic.BadRequestError) as bad:
        await client.messages.create(**{**ASKED, "max_tokens": 0})
    assert bad.value.type == "invalid_request_error"
    with pytest.raises(anthropic.NotFoundError, match="nobody-has-this"):
        await client.messages.create(**{**ASKED, "model": "nobody-has-this"})
    it.sim.inject(faults.unauthorized(), None, times=None)
    with pytest.raises(anthropic.InternalServerError) as dead:
        await client.messages.create(**ASKED)
    assert dead.value.status_code == 502


async def whole(client: Any) -> object:
    async with client.messages.stream(**ASKED) as stream:
        return await stream.get_final_message()


async def test_a_cut_is_an_exception_and_never_a_short_answer(pair):
    it, client = pair
    for after in ("delta", "block"):
        it.sim.inject(faults.CutFault(after=after), "a")
        with pytest.raises(Exception):  # noqa: B017, PT011 - its HTTP library's errors come through
            await whole(client)


async def test_an_sdk_that_sends_a_key_as_bearer_is_told_apart_by_prefix():
    async with rig(key("a")) as it:
        async with anthropic.AsyncAnthropic(base_url=it.url, api_key="sk-ant-api03-mine") as client:
            await client.messages.create(**ASKED)
        seen = it.sim.requests[-1]
        assert seen.header("x-api-key") == "sk-ant-api03-secret-of-a-0123456789"
        assert seen.header("authorization") is None

"""Accounts that speak Chat Completions, behind clients that speak Messages, Chat and Responses."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import openai
import pytest

from maxpool.sim import faults
from tests.claims.test_openai_sdk import client_of
from tests.rig import MODEL, ask, key, rig, vendor

ASKED: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 300,
    "messages": [{"role": "user", "content": "hello"}],
}
TOOLS: Any = [
    {
        "name": "weather",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
    {"name": "clock", "input_schema": {"type": "object"}},
]
CHAT = {"format": "openai-chat"}
OTHER = {"models": {"claude-*": "big-model"}}
HELLO: Any = [{"role": "user", "content": "hello"}]


@asynccontextmanager
async def pair(*people, **entry):
    people = people or (vendor("a", models=("big-model", MODEL)),)
    entries = {one.name: {**CHAT, **entry} for one in people if one.plan == "provider"}
    async with (
        rig(*people, entries=entries) as it,
        anthropic.AsyncAnthropic(base_url=it.url, api_key="x", max_retries=0) as client,
    ):
        yield it, client


def last(it) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(it.sim.requests[-1].body)
    return found


async def test_messages_are_answered_whole_and_as_a_stream():  # P6
    async with pair() as (it, client):
        whole = await client.messages.create(**ASKED)
        assert (whole.type, whole.stop_reason, whole.model) == ("message", "end_turn", MODEL)
        async with client.messages.stream(**ASKED) as stream:
            final = await stream.get_final_message()
        assert final.content[0].text == whole.content[0].text
        assert final.usage.output_tokens == whole.usage.output_tokens > 0
        assert {seen.path for seen in it.sim.requests} == {"/v1/chat/completions"}


async def test_what_means_nothing_there_does_not_go_there():
    async with pair() as (it, client):
        headers = {"x-claude-code-session-id": "s", "anthropic-beta": "a", "x-app": "cli"}
        await client.messages.create(**ASKED, extra_headers=headers, metadata={"user_id": "me"})
        seen = it.sim.requests[-1]
        names = {name.decode().lower() for name, _ in seen.headers}
        assert not any(
            n.startswith(("anthropic-", "x-stainless", "x-claude", "x-app")) for n in names
        )
        assert seen.header("authorization") == "Bearer vendor-secret-of-a-0123456789"
        assert seen.header("x-api-key") is None
        assert b"me" not in seen.body.replace(b"messages", b"").replace(b"name", b"")


async def test_tools_go_round_one_and_several_at_once():  # P6
    async with pair() as (it, client):
        asked = {
            **ASKED,
            "messages": [{"role": "user", "content": "use all tools"}],
            "tools": TOOLS,
        }
        async with client.messages.stream(**asked) as stream:
            answer = await stream.get_final_message()
        calls = [block for block in answer.content if block.type == "tool_use"]
        assert [call.name for call in calls] == ["weather", "clock"]
        assert answer.stop_reason == "tool_use"
        results = [
            {"type": "tool_result", "tool_use_id": call.id, "content": "sun"} for call in calls
        ]
        turns = [
            *asked["messages"],
            {"role": "assistant", "content": answer.content},
            {"role": "user", "content": results},
        ]
        assert (await client.messages.create(**{**asked, "messages": turns})).content
        roles = [message["role"] for message in last(it)["messages"]]
        assert roles == ["user", "assistant", "tool", "tool"]


async def test_the_client_sees_the_model_it_asked_for():  # P1
    async with pair(**OTHER) as (it, client):
        raw = await client.messages.with_raw_response.create(**ASKED)
        assert (await raw.parse()).model == MODEL
        assert raw.headers["x-maxpool-model"] == "big-model"
        assert last(it)["model"] == "big-model"
        async with client.messages.stream(**ASKED) as stream:
            assert (await stream.get_final_message()).model == MODEL


@pytest.mark.parametrize("stream", [True, False])
async def test_a_chat_client_of_a_chat_account_gets_its_bytes_as_they_are(stream):  # R1
    async with pair() as (it, _):
        body = json.dumps({"messages": HELLO, "model": MODEL, "odd": 1, "stream": stream}).encode()
        got = await it.post(body, "/v1/chat/completions")
        assert it.sim.requests[-1].body == body
        straight = await it.send(
            "POST", "/v1/chat/completions", {"content-type": "application/json"}, body
        )
        assert got.status == straight.status == 200
        assert b"fp_simulated" in got.body, "a field that no translation carries"
        assert (b"[DONE]" in got.body) is stream


@pytest.mark.parametrize("stream", [True, False])
async def test_a_chat_client_sees_the_model_it_asked_for_and_all_else_untouched(stream):  # P1
    async with pair(**OTHER) as (it, _):
        body = json.dumps({"model": MODEL, "messages": HELLO, "stream": stream}).encode()
        got = await it.post(body, "/v1/chat/completions")
        assert last(it)["model"] == "big-model"
        assert b"big-model" not in got.body
        assert b'"model":"%s"' % MODEL.encode() in got.body
        assert b"fp_simulated" in got.body


async def test_a_responses_client_is_served_by_a_chat_account():  # P6
    async with pair() as (it, _), client_of(it.url) as client:
        whole = await client.responses.create(model=MODEL, input="hello")
        async with client.responses.stream(model=MODEL, input="hello") as stream:
            async for _ in stream:
                pass
            assert (await stream.get_final_response()).output_text == whole.output_text


@pytest.mark.parametrize(
    "fault",
    [faults.overloaded(), faults.bare_429(), faults.status(500), faults.payment_required()],
)
async def test_a_claude_account_serves_when_it_fails(fault):
    async with pair(vendor("a"), key("b")) as (it, client), client_of(it.url) as other:
        it.sim.inject(fault, "a", times=None)
        raw = await client.messages.with_raw_response.create(**ASKED)
        assert raw.headers["x-maxpool-account"] == "b"
        async with client.messages.stream(**ASKED) as stream:
            assert (await stream.get_final_message()).stop_reason == "end_turn"
        chunks = [
            c
            async for c in await other.chat.completions.create(
                model=MODEL, messages=HELLO, stream=True
            )
        ]
        assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    "fault", [faults.error_event(), faults.GarbageFault(kind="html"), faults.EndFault()]
)
async def test_what_breaks_before_content_is_never_seen(fault):
    async with pair(vendor("a"), key("b")) as (it, client), client_of(it.url) as other:
        it.sim.inject(fault, "a", times=None)
        async with client.messages.stream(**ASKED) as stream:
            assert (await stream.get_final_message()).stop_reason == "end_turn"
        chunks = [
            c
            async for c in await other.chat.completions.create(
                model=MODEL, messages=HELLO, stream=True
            )
        ]
        assert chunks[-1].choices[0].finish_reason == "stop"


async def test_a_cut_is_an_exception_and_never_a_short_answer():
    async with pair() as (it, client), client_of(it.url) as other:
        it.sim.inject(faults.CutFault(after="delta"), "a")
        with pytest.raises(Exception):  # noqa: B017, PT011 - its HTTP library's errors come through
            async with client.messages.stream(**ASKED) as stream:
                await stream.get_final_message()
        it.sim.inject(faults.CutFault(after="delta"), "a")
        with pytest.raises(openai.APIError):
            async for _ in await other.chat.completions.create(
                model=MODEL, messages=HELLO, stream=True
            ):
                pass


async def test_an_error_of_the_caller_arrives_in_its_own_form():
    async with pair() as (it, client), client_of(it.url) as other:
        it.sim.inject(faults.bad_request(), "a", times=None)
        with pytest.raises(anthropic.BadRequestError) as bad:
            await client.messages.create(**ASKED)
        assert bad.value.type == "invalid_request_error"
        with pytest.raises(openai.BadRequestError):
            await other.chat.completions.create(model=MODEL, messages=HELLO)
        with pytest.raises(openai.BadRequestError):
            await other.responses.create(model=MODEL, input="hello")


async def test_tokens_are_estimated_where_nobody_counts_them():
    async with pair() as (it, client):
        counted = await client.messages.count_tokens(model=MODEL, messages=ASKED["messages"])
        assert counted.input_tokens > 0
        assert not it.sim.requests


async def test_a_prompt_bridge_answers_whole_and_as_a_stream():
    async def bridge(scope, receive, send):
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        asked.append((scope["path"], json.loads(body)))
        head = {"type": "http.response.start", "status": 200}
        await send({**head, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"response":"hi there"}'})

    asked: list[Any] = []
    entry = {"format": "generate", "auth_header": "none"}
    async with rig(vendor("a"), entries={"a": entry}, tap=lambda _: bridge) as it:
        got = await it.post(ask(stream=False))
        assert got.json["content"] == [{"type": "text", "text": "hi there"}]
        streamed = await it.post(ask())
        assert streamed.whole
        assert b"hi there" in streamed.body
        assert asked[0][0] == "/api/generate"
        assert asked[0][1]["prompt"] == "user: hello"


async def test_what_only_chat_has_a_place_for_goes_to_a_chat_account_or_is_named():  # P2
    body = json.dumps({"model": MODEL, "messages": HELLO, "logprobs": True}).encode()
    async with pair(key("a"), vendor("b")) as (it, _):
        assert (await it.post(body, "/v1/chat/completions")).account == "b"
        assert it.sim.requests[-1].body == body
    async with rig() as it:
        got = await it.post(body, "/v1/chat/completions")
        assert got.status == 400
        assert "logprobs" in got.json["error"]["message"]
        assert not it.sim.requests


async def test_what_an_account_has_no_place_for_is_not_sent_to_it():  # P2
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    turn = {"role": "user", "content": [{"type": "document", "source": pdf}]}
    async with pair(vendor("a"), key("b")) as (_, client):
        raw = await client.messages.with_raw_response.create(**{**ASKED, "messages": [turn]})
        assert raw.headers["x-maxpool-account"] == "b"
        assert raw.headers.get("x-maxpool-skipped") is None


async def test_an_account_that_turns_out_unable_is_passed_over_and_nobody_is_blamed():  # P2
    entry = {"format": "generate", "can": ["images", "tools"]}
    asked = ask(stream=False, tools=TOOLS)
    async with rig(vendor("a"), key("b"), entries={"a": entry}) as it:
        got = await it.post(asked)
        assert (got.account, got.fields["x-maxpool-skipped"]) == ("b", "a:not_carried")
        assert (await it.state("a"))["state"] == "ready"
    async with rig(vendor("a"), entries={"a": entry}) as it:
        got = await it.post(asked)
        assert got.error == (400, "invalid_request_error")
        assert "tool" in got.json["error"]["message"]


async def test_a_name_that_stands_for_another_vendors_model_is_what_every_client_sees():  # P1
    entries = {"a": CHAT}
    aliases = {"quick": {"targets": ["a/big-model"]}}
    people = (vendor("a", models=("big-model",)), key("b"))
    async with rig(*people, entries=entries, aliases=aliases) as it:
        chat = json.dumps({"model": "quick", "messages": HELLO}).encode()
        responses = json.dumps({"model": "quick", "input": "hello"}).encode()
        for path, body in (
            ("/v1/messages", ask(model="quick", stream=False)),
            ("/v1/chat/completions", chat),
            ("/v1/responses", responses),
        ):
            got = await it.post(body, path)
            assert (got.json["model"], got.fields["x-maxpool-model"]) == ("quick", "big-model")
            assert (last(it)["model"], got.account) == ("big-model", "a")

"""web/foreign: requests of other APIs come in as Messages requests."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from maxpool.web.foreign import carried, session_in, shape_of
from maxpool.wire.chat_answer import CHAT_SURFACE
from tests.rig import CLAUDE_CODE, MODEL, ask, key, plan, rig, vendor

CHAT = "/v1/chat/completions"
TURN = [{"role": "user", "content": "hello"}]


def chat(**more: Any) -> bytes:
    return json.dumps({"model": MODEL, "messages": TURN, **more}).encode()


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        ({"model": "m", "input": "hi"}, "responses"),
        ({"messages": TURN, "max_tokens": 5}, "messages"),
        ({"messages": TURN, "system": "s"}, "messages"),
        ({"messages": TURN}, "chat"),
        ({"messages": [{"role": "system", "content": "s"}, *TURN], "max_tokens": 5}, "chat"),
        ({"messages": TURN, "max_tokens": 5, "stream_options": {}}, "chat"),
        ({"messages": TURN, "max_tokens": 5, "tools": [{"type": "function"}]}, "chat"),
        ({"messages": 1, "tools": 2}, "chat"),
    ],
)
def test_the_api_is_told_by_the_shape_of_a_request(body, shape):
    assert shape_of(json.dumps(body).encode(), {}) == shape


def test_a_version_header_says_more_than_members_that_both_have():
    body = chat(stop=["x"])
    assert shape_of(body, {"anthropic-version": "2023-06-01"}) == "messages"
    assert shape_of(b"no json", {}) == "messages"


def test_the_session_is_what_the_body_names():
    assert session_in(b'{"prompt_cache_key":"a"}') == "a"
    assert session_in(b'{"client_metadata":{"session_id":"b"}}') == "b"
    for body in (b"{}", b"x", b'{"prompt_cache_key":1}', b'{"client_metadata":[]}'):
        assert session_in(body) is None


async def test_a_limit_that_nobody_set_takes_no_room():
    entries = {"a": {"context": {"*": 8_000}}}
    async with rig(vendor("a"), entries=entries) as it:
        assert (await it.post(chat(), CHAT)).status == 200
        asked = json.dumps({"model": MODEL, "input": "hi"}).encode()
        assert (await it.post(asked, "/v1/responses")).status == 200
        assert (await it.post(chat(max_tokens=32_000), CHAT)).status == 413


async def test_what_only_a_translation_has_no_place_for_goes_as_it_came():  # P2
    begun = chat(messages=[*TURN, {"role": "assistant", "content": "I"}])
    async with rig(vendor("a"), entries={"a": {"format": "openai-chat"}}) as it:
        assert (await it.post(begun, CHAT)).status == 200
        assert it.sim.requests[-1].body == begun


def test_what_messages_has_no_place_for_is_told_with_the_rest():
    body, lost = carried(chat(n=2), CHAT_SURFACE)
    assert json.loads(body)["messages"]
    assert lost is not None
    assert lost.what == "n"


async def test_any_of_the_three_is_taken_at_one_path():
    async with rig() as it:
        messages = await it.post(ask(stream=False), "/route")
        assert messages.json["type"] == "message"
        answer = await it.send("POST", "/route", {"content-type": "application/json"}, chat())
        assert answer.json["object"] == "chat.completion"
        body = json.dumps({"model": MODEL, "input": "hi"}).encode()
        assert (await it.post(body, "/route")).json["object"] == "response"
        refused = await it.send("POST", "/route", {"content-type": "application/json"}, chat(n=2))
        assert refused.json["error"]["type"] == "invalid_request_error"
        assert "type" not in refused.json, "in the form of the API that was spoken"


async def test_prefixes_and_plain_paths_are_one():
    async with rig() as it:
        for path in ("/openai/chat/completions", "/openai/v1/chat/completions", CHAT):
            assert (await it.post(chat(), path)).json["object"] == "chat.completion"
        assert (await it.post(path="/anthropic/v1/messages?beta=true")).whole
        assert {seen.path for seen in it.sim.requests} == {"/v1/messages"}


async def test_a_body_that_came_encoded_is_read():
    async with rig() as it:
        packed = {"content-encoding": "gzip"}
        got = await it.post(gzip.compress(chat()), CHAT, packed)
        assert got.json["object"] == "chat.completion"
        assert it.sim.requests[-1].header("content-encoding") is None


async def test_no_subscription_serves_them_whatever_they_call_themselves():
    async with rig(plan("p")) as it:
        assert (await it.post()).status in (403, 404)
        got = await it.post(chat(), CHAT, CLAUDE_CODE)
        assert got.status == 403
        assert "Claude Code only" in got.json["error"]["message"]
        assert not it.sim.requests


async def test_what_is_wrong_is_told_in_their_own_form():
    async with rig(key("a")) as it:
        for path in (CHAT, "/v1/responses"):
            wrong = await it.post(b"{}", path)
            assert (wrong.status, set(wrong.json)) == (400, {"error"})
            method = await it.send("GET", path, {}, b"")
            assert (method.status, method.fields["allow"]) == (405, "POST")
            assert "code" in method.json["error"]
            typed = await it.send("POST", path, {"content-type": "text/plain"}, b"{}")
            assert (typed.status, set(typed.json)) == (415, {"error"})


async def test_nothing_is_kept_and_that_is_said():
    async with rig() as it:
        for method, path in (
            ("GET", "/v1/responses/resp_1"),
            ("DELETE", "/v1/responses/resp_1"),
            ("GET", "/openai/v1/responses/resp_1"),
            ("GET", "/v1/conversations/conv_1"),
        ):
            got = await it.send(method, path, {}, b"")
            assert got.status == 404
            assert "stores no" in got.json["error"]["message"]
            assert got.json["error"]["code"]

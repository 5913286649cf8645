"""service/passage: what is sent and what is read, by the client's format and the account's."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest

from maxpool.errors import Uncarried
from maxpool.ports import Destination
from maxpool.service.job import Job
from maxpool.service.limits import Limits
from maxpool.service.passage import STRAIGHT, Both, passage_of
from maxpool.wire.chat_answer import CHAT_SURFACE
from maxpool.wire.chat_meter import ChatMeter
from maxpool.wire.echo import Echo
from maxpool.wire.meter import Meter
from maxpool.wire.responses_answer import RESPONSES_SURFACE
from maxpool.wire.strip import EventFilter
from tests.make import MODEL
from tests.make import ask as request

MESSAGES = json.dumps(
    {"model": MODEL, "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
).encode()
ASKED = b'{"messages": [{"role":"user","content":"hi"}],  "model":"%s"}' % MODEL.encode()


def job(surface: Any = None, **given: Any) -> Job:
    asked = b"" if surface is None else ASKED
    return Job(
        method="POST",
        target="/v1/messages",
        headers=given.pop("headers", ()),
        body=given.pop("body", MESSAGES),
        request=request(),
        request_id="r",
        streaming=True,
        surface=surface,
        asked=asked,
    )


def there(api: str = "anthropic", **given: Any) -> Destination:
    return Destination(base_url="http://up", format=api, **given)


def sent(one: Job, destination: Destination, model: str = MODEL) -> bytes:
    return passage_of(one, destination, model).body(one, destination, Limits())


def test_messages_to_messages_is_the_clients_own_bytes_and_one_shared_value():
    assert passage_of(job(), there(), MODEL) is STRAIGHT
    assert sent(job(), there()) is MESSAGES
    assert not STRAIGHT.edits


def test_chat_to_chat_is_the_clients_own_bytes_but_for_the_model():  # R1
    one = job(CHAT_SURFACE)
    assert sent(one, there("openai-chat")) is ASKED
    assert json.loads(sent(one, there("openai-chat"), "big")) == {
        **json.loads(ASKED),
        "model": "big",
    }
    assert isinstance(passage_of(one, there("openai-chat"), MODEL).meter(there()), ChatMeter)


def test_between_two_apis_the_request_is_translated():
    chat = json.loads(sent(job(), there("openai-chat"), "big"))
    assert (chat["model"], chat["messages"][0]["role"]) == ("big", "user")
    assert json.loads(sent(job(CHAT_SURFACE), there(), "big")) == {
        **json.loads(MESSAGES),
        "model": "big",
    }
    prompt = json.loads(sent(job(RESPONSES_SURFACE), there("generate")))
    assert prompt["prompt"] == "user: hi"


def test_an_encoded_request_is_read_before_it_is_translated():
    packed = job(body=gzip.compress(MESSAGES), headers=((b"content-encoding", b"gzip"),))
    assert json.loads(sent(packed, there("openai-chat")))["messages"]


def test_what_has_no_place_there_raises():  # P2
    tool = {"name": "t", "input_schema": {"type": "object"}}
    with_tool = json.dumps({**json.loads(MESSAGES), "tools": [tool]}).encode()
    with pytest.raises(Uncarried):
        sent(job(body=with_tool), there("generate"))


@pytest.mark.parametrize(
    ("surface", "api", "model", "edits", "reads"),
    [
        (None, "anthropic", "big", True, False),
        (None, "openai-chat", MODEL, True, True),
        (CHAT_SURFACE, "openai-chat", MODEL, False, False),
        (CHAT_SURFACE, "openai-chat", "big", True, False),
        (CHAT_SURFACE, "anthropic", MODEL, True, False),
        (RESPONSES_SURFACE, "openai-chat", MODEL, True, True),
    ],
)
def test_an_answer_is_read_and_changed_only_where_it_must_be(surface, api, model, edits, reads):
    passage = passage_of(job(surface), there(api), model)
    assert (passage.edits, passage.reads) == (edits, reads)
    assert (passage.reader(job(surface), Limits()) is not None) is reads


def test_a_renamed_answer_shows_the_name_that_was_asked_for():  # P1
    passage = passage_of(job(), there(), "big")
    assert isinstance(passage.edit(there()), Echo)
    assert passage.echo(b'{"model":"big"}') == b'{"model":"%s"}' % MODEL.encode()
    abroad = passage_of(job(CHAT_SURFACE), there(), "big")
    assert abroad.edit(there()) is None, "its writer names it"


def test_events_of_the_upstreams_own_are_taken_out_besides():
    named = there(strip_events=frozenset({"settle"}))
    assert isinstance(STRAIGHT.edit(named), EventFilter)
    both = passage_of(job(), named, "big").edit(named)
    assert isinstance(both, Both)
    start = b'event: message_start\ndata: {"message":{"model":"big"}}\n\n'
    gone = b"event: settle\ndata: {}\n\n"
    told = both.feed(start + gone) + both.end()
    assert told == start.replace(b"big", MODEL.encode())


def test_an_unnamed_request_is_renamed_by_nobody():
    one = replace(job(), request=replace(request(), model=""))
    assert passage_of(one, there(), "") is STRAIGHT
    assert isinstance(STRAIGHT.meter(there()), Meter)


def test_errors_of_another_api_come_in_the_messages_envelope():
    body = b'{"error":{"message":"no","code":"model_not_found"}}'
    told = json.loads(passage_of(job(), there("openai-chat"), MODEL).error(404, body))
    assert told["error"]["type"] == "not_found_error"
    assert STRAIGHT.error(404, body) is body


@pytest.mark.parametrize(("limit", "sent_limit"), [(None, None), (5, 5)])
def test_a_limit_that_no_client_set_is_told_to_no_api_that_needs_none(limit, sent_limit):
    one = job(RESPONSES_SURFACE)
    one = replace(one, request=replace(one.request, max_output_tokens=limit))
    assert json.loads(sent(one, there("openai-chat"))).get("max_tokens") == sent_limit
    assert json.loads(sent(one, there()))["max_tokens"] == 5

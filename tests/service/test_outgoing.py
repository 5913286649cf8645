from __future__ import annotations

import json
from typing import Any

from maxpool.ports import Call, Destination
from maxpool.service.job import Job
from maxpool.service.limits import Limits
from maxpool.service.outgoing import call_of
from maxpool.service.passage import passage_of
from maxpool.service.tokens import Credential
from maxpool.wire.chat_answer import CHAT_SURFACE
from tests.make import MODEL, NOW
from tests.make import ask as request
from tests.service.test_passage import job, there

HEADERS = (
    (b"Authorization", b"bearer  sk-ant-oat01-mine"),
    (b"x-api-key", b"shown"),
    (b"anthropic-beta", b"a-1"),
)
KEY = Credential((b"x-api-key", b"the-key"), oauth=False)


def call(credential: Credential | None = KEY, model: str = MODEL, **given: Any) -> Call:
    job = Job(
        method="POST",
        target="/v1/messages?beta=true",
        headers=given.pop("headers", HEADERS),
        body=json.dumps({"model": MODEL}).encode(),
        request=request(arrived_at=NOW),
        request_id="r",
        streaming=given.pop("streaming", True),
        counts_tokens=given.pop("counts_tokens", False),
    )
    destination = Destination(base_url="http://up", **given)
    passage = passage_of(job, destination, model)
    return call_of(job, destination, credential, passage, limits=Limits(), now=NOW + 2)


def test_an_accounts_credential_takes_the_place_of_the_callers():
    sent = [f for f in call().headers if f[0].lower() in (b"authorization", b"x-api-key")]
    assert sent == [(b"x-api-key", b"the-key")]
    assert call().url == "http://up/v1/messages?beta=true"


def test_the_callers_own_login_goes_along_as_it_came_and_nothing_is_added():
    sent = [f for f in call(None).headers if f[0].lower() != b"accept-encoding"]
    assert sent == [HEADERS[0], HEADERS[2]]


def test_the_body_keeps_its_bytes_unless_the_model_has_another_name_there():
    assert call().body == b'{"model": "%s"}' % MODEL.encode()
    assert json.loads(call(model="other").body) == {"model": "other"}


def test_each_kind_of_request_has_its_own_patience_for_headers():
    limits = Limits()
    assert call().header_timeout_s == limits.header_timeout_stream_s
    assert call(streaming=False).header_timeout_s == limits.header_timeout_json_s
    assert call(counts_tokens=True).header_timeout_s == limits.header_timeout_count_s


def test_an_upstream_that_wants_to_know_is_told_the_time_left():
    told = [(b"x-left-ms", b"4000")]
    sent = dict(call(deadline_header="x-left-ms", headers=(*HEADERS, *told)).headers)
    assert sent[b"x-left-ms"] == b"2000", "two seconds have passed"


def test_what_is_said_to_one_vendor_does_not_go_to_another():  # X5
    theirs = (
        *((b"anthropic-version", b"1"), (b"Anthropic-Beta", b"b"), (b"x-app", b"cli")),
        *((b"X-Claude-Code-Session-Id", b"s"), (b"x-stainless-lang", b"python")),
    )
    one, place = job(CHAT_SURFACE, headers=theirs), there("openai-chat")
    native = passage_of(one, place, MODEL)
    sent = call_of(one, place, KEY, native, limits=Limits(), now=NOW).headers
    assert [name for name, _ in sent] == [b"x-stainless-lang", b"accept-encoding", b"x-api-key"]

"""service/judging: error answers of any API, as outcomes and as what the caller gets to hear."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from maxpool.core.lease import Burst, ModelMissing, RequestRejected, TransientFailure
from maxpool.core.rejected import NotCarried
from maxpool.errors import RequestError, Uncarried
from maxpool.ports import Reply
from maxpool.service.judging import failure_of, not_carried
from maxpool.service.limits import Limits
from maxpool.service.passage import passage_of
from maxpool.wire.chat_answer import CHAT_SURFACE
from maxpool.wire.headers import fields
from tests.make import MODEL, NOW, lease, pool
from tests.service.test_passage import job, there
from tests.service.test_relay import Chunks

CHAT_ERROR = b'{"error":{"message":"bad","type":"invalid_request_error","param":null,"code":"odd"}}'


async def failed(surface: Any, api: str, status: int, body: bytes, *headers: tuple[bytes, bytes]):
    one, place = job(surface), there(api)
    passage = passage_of(one, place, MODEL)
    reply = Reply(status=status, headers=headers, stream=Chunks(body))
    told = fields(headers)
    return await failure_of(one, lease(pool("a")), passage, reply, told, place, Limits(), NOW)


async def test_an_error_of_a_chat_account_is_told_in_the_messages_envelope():
    limits = (b"x-ratelimit-limit-requests", b"5")
    found = await failed(None, "openai-chat", 400, CHAT_ERROR, limits, (b"retry-after", b"3"))
    assert found.outcome == RequestRejected(400)
    assert json.loads(found.body)["type"] == "error"
    assert dict(found.headers) == {b"retry-after": b"3", b"content-type": b"application/json"}


async def test_a_chat_client_gets_a_chat_accounts_error_as_it_came():
    packed, coding = gzip.compress(CHAT_ERROR), (b"content-encoding", b"gzip")
    found = await failed(CHAT_SURFACE, "openai-chat", 400, packed, coding, (b"x-own", b"1"))
    assert found.body == CHAT_ERROR
    assert dict(found.headers)[b"x-own"] == b"1"
    assert b"content-encoding" not in dict(found.headers)


async def test_a_claude_accounts_error_goes_on_untouched_to_a_client_of_messages():
    body = b'{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}'
    packed, coding = gzip.compress(body), (b"content-encoding", b"gzip")
    found = await failed(None, "anthropic", 429, packed, coding)
    assert isinstance(found.outcome, Burst)
    assert (found.body, dict(found.headers)) == (packed, dict([coding]))


@pytest.mark.parametrize(("status", "kind"), [(500, TransientFailure), (404, ModelMissing)])
async def test_the_outcome_follows_the_code_of_either_api(status, kind):
    text = f'{{"error":{{"message":"{MODEL} is gone","code":"model_not_found"}}}}'.encode()
    body = text if status == 404 else b"<html>"
    assert isinstance((await failed(None, "openai-chat", status, body)).outcome, kind)


def test_what_has_no_place_there_blames_nobody():  # P2
    found = not_carried(Uncarried("tools", "no tools there"))
    assert found.outcome == NotCarried("tools", 400)
    assert b"no tools there" in found.body
    assert not_carried(RequestError(413, "request_too_large", "big")).outcome == NotCarried(
        "request", 413
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [(b'{"error":"plain"}', "plain"), (b'{"detail":"odd"}', "odd"), (b"busy", "busy")],
)
async def test_what_is_no_error_of_its_api_is_told_in_an_envelope(body, said):
    found = await failed(CHAT_SURFACE, "openai-chat", 503, body)
    assert json.loads(found.body)["error"]["message"] == said

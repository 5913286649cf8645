from __future__ import annotations

import gzip
import json

import pytest

from tests.rig import JSON, MODEL, request_bytes, rig

PARAMS = {"model": MODEL, "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
BATCH = json.dumps({"requests": [{"custom_id": "1", "params": PARAMS}]}).encode()


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({}, "http://127.0.0.1:"),
        ({"x-forwarded-proto": "https"}, "https://127.0.0.1:"),
    ],
)
async def test_a_results_url_names_the_server_as_its_caller_does(headers, origin):
    async with rig() as it:
        got = await it.post(BATCH, "/v1/messages/batches", headers)
        assert got.json["results_url"].startswith(origin)
        assert int(got.fields["content-length"]) == len(got.body)


async def test_it_names_it_by_the_host_that_was_asked_for():
    async with rig() as it:
        wire = await it.connect()
        await wire.send(request_bytes(BATCH, "/v1/messages/batches", host="localhost:99"))
        assert b'"http://localhost:99/v1/messages/batches/' in await wire.until(b"results_url")


async def test_nothing_of_a_strange_host_header_gets_into_the_answer():
    async with rig() as it:
        wire = await it.connect()
        odd = 'localhost:99","id":"evil'
        shown = {"host": odd, "connection": "close"}
        await wire.send(request_bytes(BATCH, "/v1/messages/batches", **shown))
        got = await wire.rest()
        assert got.startswith(b"HTTP/1.1 403 ")
        assert b'"id":"evil"' not in got
        wire = await it.connect()
        shown["host"] = "LOCALHOST:99"
        await wire.send(request_bytes(BATCH, "/v1/messages/batches", **shown))
        assert b'"http://LOCALHOST:99/v1/messages/batches/' in await wire.rest()


async def test_a_compressed_batch_is_read_and_sent_on_as_it_came():
    source = {"type": "file", "file_id": "file_1"}
    messages = [{"role": "user", "content": [{"type": "image", "source": source}]}]
    asked = {"requests": [{"custom_id": "1", "params": {**PARAMS, "messages": messages}}]}
    packed = gzip.compress(json.dumps(asked).encode())
    async with rig() as it:
        it.proxy.pool.owners.keep("file_1", next(reversed(it.proxy.pool.states)), 2e9)
        got = await it.post(packed, "/v1/messages/batches", {"content-encoding": "gzip"})
        assert (got.status, it.asked(), it.sim.requests[-1].body) == (200, ["c"], packed)


async def test_subscriptions_hold_nothing_for_other_programs():
    async with rig(entries={n: {"serves": ["claude-code"]} for n in "abc"}) as it:
        got = await it.get("/v1/files/file_1", JSON)
        assert got.error == (403, "permission_error")
        assert not it.sim.requests


async def test_what_is_too_large_is_a_413():
    async with rig(server={"max_body": "64KB"}) as it:
        got = await it.post(b"x" * (65 << 10), "/v1/messages/batches")
        assert got.error == (413, "request_too_large")


async def test_whose_it_was_is_explained_among_the_decisions_as_no_model_call():
    async with rig() as it:
        got = await it.post(BATCH, "/v1/messages/batches")
        trace = (await it.admin("GET", f"/decisions/{got.fields['x-request-id']}")).json
        assert trace["kind"] == "other"


async def test_a_client_that_leaves_in_the_middle_of_a_list_leaves_nothing_behind():
    async with rig() as it:
        wire = await it.connect()
        await wire.send(
            b"GET /v1/files HTTP/1.1\r\nhost: 127.0.0.1\r\nanthropic-version: 2023-06-01\r\n\r\n"
        )
        wire.reset()
        assert (await it.get("/v1/files", JSON)).status == 200
        assert it.idle()

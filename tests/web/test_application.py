from __future__ import annotations

from maxpool.service.logs import Redact
from maxpool.sim import faults
from tests.rig import MODEL, ask, rig


async def test_unknown_paths_name_what_there_is():
    async with rig() as it:
        got = await it.get("/v1/nothing")
        assert got.error == (404, "not_found_error")
        assert "POST /v1/messages" in got.json["error"]["message"]
        assert got.json["request_id"]


async def test_a_wrong_method_names_the_right_one():
    async with rig() as it:
        got = await it.send("DELETE", "/status", {}, b"")
        assert got.error == (405, "invalid_request_error")
        assert "GET" in got.fields["allow"]


async def test_a_path_with_a_slash_too_many_is_not_redirected():
    async with rig() as it:
        for path in ("/v1/models/", "/status/", "/v1/messages/"):
            got = await it.get(path)
            assert (got.status, got.fields.get("location")) == (404, None)


async def test_a_crash_is_a_500_in_the_apis_shape(caplog):
    async with rig() as it:
        it.proxy.reloader = None  # type: ignore[assignment]
        got = await it.get("/status")
        assert got.error == (500, "api_error")
        assert got.json["request_id"] in got.json["error"]["message"]
        assert (
            f"request {got.json['request_id']} failed inside maxpool: AttributeError" in caplog.text
        )
        assert "reloader" not in caplog.text, "what a foreign exception says may be anything"


async def test_a_crash_costs_the_connection_nothing():
    async with rig() as it:
        it.proxy.reloader = None  # type: ignore[assignment]
        client = await it.connect()
        crash = b"GET /status HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
        await client.send(
            crash + crash + crash.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
        )
        assert (await client.rest()).count(b"HTTP/1.1 500 ") == 3


async def test_the_small_pages_answer():
    async with rig() as it:
        assert (await it.send("HEAD", "/", {}, b"")).status == 200
        assert (await it.send("HEAD", "/api/hello", {}, b"")).status == 200
        assert (await it.get("/status.css")).fields["content-type"].startswith("text/css")


async def test_an_allowed_path_never_stands_in_place_of_an_endpoint():
    paths = ["/v1/files", "/v1/messages", "/v1/messages/batches", "/v1/pictures"]
    version = {"anthropic-version": "2023-06-01"}
    async with rig(server={"allowed_paths": paths}) as it:
        assert (await it.get("/v1/files", version)).json["has_more"] is False
        assert len(it.sim.requests) == 3, "all accounts were asked"
        assert (await it.get("/v1/messages")).status == 405
        assert (await it.get("/v1/pictures")).status == 404
        assert it.sim.requests[-1].path == "/v1/pictures"


async def test_errors_of_the_server_itself_have_the_form_of_the_prefix():
    async with rig() as it:
        for path in ("/openai/v1/files", "/openai/nothing"):
            got = await it.get(path)
            assert got.status == 404
            assert got.json["error"]["code"] == "not_found"
        assert (await it.get("/anthropic/nothing")).error == (404, "not_found_error")
        assert (await it.send("HEAD", "/anthropic", {}, b"")).status == 200


async def test_the_admin_and_status_pages_stand_behind_no_prefix():  # X7
    async with rig() as it:
        for prefix in ("/openai", "/anthropic", "/v1/sets/maxpool", "/openai/v1"):
            for path in ("/admin/status", "/status", "/admin/../admin/status"):
                assert (await it.get(prefix + path)).status == 404


async def test_a_set_is_an_endpoint():
    async with rig(sets={"mine": {"targets": [f"a/{MODEL}"]}}) as it:
        body = ask(model="whatever", stream=False)
        assert (await it.post(body, "/v1/sets/mine/v1/messages")).account == "a"
        assert (await it.post(body, "/v1/sets/mine/chat/completions")).status == 200
        assert (await it.post(body, "/v1/sets/nobodys/chat/completions")).status == 404


async def test_what_is_logged_for_a_request_names_it(caplog):
    caplog.set_level("INFO", "maxpool.request")
    caplog.handler.addFilter(names := Redact())
    try:
        async with rig() as it:
            it.sim.inject(faults.CutFault(), "a", times=1)
            got = await it.post()
            told = {r.request_id for r in caplog.records if r.name == "maxpool.request"}
            assert told == {got.fields["x-request-id"]}
    finally:
        caplog.handler.removeFilter(names)

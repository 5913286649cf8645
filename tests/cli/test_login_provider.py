"""`maxpool login NAME --provider URL`, in a real process."""

from __future__ import annotations

import json

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from maxpool.adapters.server import Server
from tests.logins import command, entries, kept, world
from tests.rig import key

pytestmark = pytest.mark.slow

CONSOLE = key("console")


async def models(request) -> Response:
    if request.headers.get("authorization") != "Bearer sk-good":
        return JSONResponse({"error": {"message": "no such key"}}, 401)
    return JSONResponse({"data": [{"id": "big"}, {"id": "small"}]})


async def chat(request) -> Response:
    if request.headers.get("authorization") != "Bearer sk-good":
        return JSONResponse({"error": {"message": "no such key"}}, 401)
    return JSONResponse({"error": {"message": "messages is required"}}, 400)


CHAT_ONLY = Starlette(
    routes=[
        Route("/openai/v1/models", models),
        Route("/openai/v1/chat/completions", chat, methods=["POST"]),
    ]
)


async def test_the_format_is_found_out_told_and_written(tmp_path, monkeypatch):
    server = Server(CHAT_ONLY, graceful_s=0.0)
    await server.start()
    try:
        async with world(tmp_path, monkeypatch) as one:
            asked = ("login", "svc", "--provider", f"{server.url}/openai/v1", "--stdin", "--json")
            done = await command(*asked, given="sk-good")
            assert done.code == 0, done.err
            told = json.loads(done.out)
            assert (told["verified"], told["format"]) == (True, "openai-chat")
            assert told["models"] == ["big", "small"]
            assert "2 models: big, small" in done.err
            assert entries(one)["svc"].format == "openai-chat"
            stored = kept(one, "svc")
            assert stored is not None
            assert stored.secret == "sk-good"
            refused = await command(*asked[:1], "other", *asked[2:], given="sk-wrong-key")
            assert refused.code == 1
            assert "not stored" in refused.err
            assert "other" not in entries(one)
    finally:
        await server.stop(0.0)


async def test_a_format_that_is_given_holds(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, CONSOLE) as one:
        asked = (
            "login",
            "svc",
            "--provider",
            one.upstream_url,
            "--format",
            "openai-chat",
            "--stdin",
        )
        done = await command(*asked, given=CONSOLE.secret)
        assert done.code == 0, done.err
        assert entries(one)["svc"].format == "openai-chat"
        wrong = await command("login", "k", "--api-key", "--format", "anthropic", "--stdin")
        assert wrong.code == 2

"""The demo: several accounts serve real streams through one endpoint, and quota burns."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from maxpool.adapters.upstream import HttpUpstream
from maxpool.app.demo import demo_world
from maxpool.cli.control import Control
from maxpool.cli.demo_story import Story
from maxpool.ports import Call, Reply

BODY = (
    b'{"model":"claude-sonnet-5-5","max_tokens":50,"stream":true,'
    b'"messages":[{"role":"user","content":"Hello"}]}'
)


async def _send(client, method, url, body=b""):
    reply = await client.send(
        Call(
            method=method,
            url=url,
            headers=[(b"content-type", b"application/json"), (b"anthropic-version", b"2023-06-01")],
            body=body,
            connect_timeout_s=5,
            header_timeout_s=20,
            idle_timeout_s=20,
        )
    )
    assert isinstance(reply, Reply)
    return reply.status, b"".join([chunk async for chunk in reply.stream])


async def test_the_demo_answers_a_stream_without_any_key():
    client = HttpUpstream()
    async with demo_world(port=0, traffic=False) as world:
        status, body = await _send(client, "POST", f"{world.proxy_url}/v1/messages", BODY)
        assert status == 200
        assert body.rstrip().endswith(b'data: {"type":"message_stop"}')
    await client.aclose()


async def test_the_demo_can_be_asked_why():
    client = HttpUpstream()
    async with demo_world(port=0, traffic=False) as world:
        await _send(client, "POST", f"{world.proxy_url}/v1/messages", BODY)
        server = Control(url=world.proxy_url, key=world.admin_key)
        told = await asyncio.to_thread(server.get, "/decisions", limit=1)
        assert told["decisions"][0]["tries"][0]["outcome"] == "success"
    await client.aclose()


@pytest.mark.slow
async def test_traffic_burns_quota_on_several_accounts_and_sessions_stick():
    client = HttpUpstream()
    async with demo_world(port=0, minutes=0.5, speed=6.0) as world:
        async with asyncio.timeout(100):
            while True:
                await asyncio.sleep(1)
                _, body = await _send(client, "GET", world.status_url)
                doc = json.loads(body)
                used = [a for a in doc["accounts"] if a["total"]["requests"] > 3]
                if len(used) >= 3 and doc["totals"]["requests"] > 150:
                    break
    await client.aclose()
    assert doc["harm"]["client_errors"] == {}
    windows = [w for a in doc["accounts"] for w in a["windows"] if w["window"] == "5h"]
    assert any(w["utilization"] > 0.05 for w in windows)
    long = [s for s in doc["sessions"]["list"] if s["turns"] >= 5]
    assert long
    assert all(s["moves"] <= s["turns"] / 3 for s in long)


async def test_ending_the_demo_waits_for_no_running_answer():
    world = demo_world(port=0, speed=5.0)
    await world.__aenter__()
    await asyncio.sleep(0.5)
    async with asyncio.timeout(8):
        await world.__aexit__(None, None, None)


@pytest.mark.slow
async def test_another_vendor_takes_over_while_the_plans_are_used_up_and_gives_back():
    client, story = HttpUpstream(), Story()
    told: list[str] = []
    doc: dict[str, Any] = {}
    minutes, speed = 0.4, 6.0  # a window of 24 seconds, used up in the first of them
    async with demo_world(port=0, minutes=minutes, speed=speed, scenario="takeover") as world:
        async with asyncio.timeout(90):
            while len(told) < 3:
                await asyncio.sleep(0.1)
                _, body = await _send(client, "GET", world.status_url)
                doc = json.loads(body)
                told += [said] if (said := story.after(doc)) else []
    await client.aclose()
    assert "Claude accounts serve" in told[0]
    assert "harbour takes over" in told[1]
    assert "serve again" in told[2]
    harbour = next(a["total"] for a in doc["accounts"] if a["name"] == "harbour")
    assert harbour["requests"] - harbour["failed"] > 3
    assert doc["harm"]["client_errors"] == {}

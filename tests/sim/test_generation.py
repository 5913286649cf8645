import asyncio
import json
from typing import Any

import anthropic
import httpx2
import pytest

from maxpool.sim import faults
from maxpool.sim.faults import CutFault, EndFault, GarbageFault, HangFault, QuotaFault, SlowFault
from maxpool.sim.plans import SimAccount, SimSettings
from tests.sim.conftest import KEY, OAUTH, Running, body, login

FAST = SimSettings(answer_tokens=(40, 60))


def events(text: str) -> list[str]:
    return [line[7:] for line in text.splitlines() if line.startswith("event: ")]


async def test_the_vendors_own_client_reads_a_stream(upstream) -> None:
    async with upstream() as running:
        url = str(running.client.base_url)
        async with anthropic.AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0) as client:
            request: dict[str, Any] = {**body(text="please use a tool"), "max_tokens": 2000}
            request["tools"] = [{"name": "Read", "input_schema": {"type": "object"}}]
            request["thinking"] = {"type": "enabled", "budget_tokens": 1024}
            async with client.messages.stream(**request) as stream:
                message = await stream.get_final_message()
            whole = await client.messages.create(**request)
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.stop_reason == "tool_use"
    said, again = (m.model_dump()["content"][:2] for m in (message, whole))
    assert [b.get("text") or b.get("thinking") for b in said] == [
        b.get("text") or b.get("thinking") for b in again
    ]
    assert message.usage.output_tokens == whole.usage.output_tokens


async def test_a_warm_prefix_shows_in_the_next_answers_usage(upstream) -> None:
    asked = body(
        system=[{"type": "text", "text": "x" * 8000, "cache_control": {"type": "ephemeral"}}]
    )
    async with upstream() as running:
        usages = [
            (await running.client.post("/v1/messages", headers=login(), json=asked)).json()["usage"]
            for _ in range(2)
        ]
    assert usages[0]["cache_creation_input_tokens"] > 2000
    assert usages[1]["cache_read_input_tokens"] == usages[0]["cache_creation_input_tokens"]


@pytest.mark.parametrize("version", [None, "2020-01-01"])
async def test_a_version_is_required_and_must_exist(upstream, version) -> None:
    headers = {k: v for k, v in login().items() if k != "anthropic-version"}
    if version:
        headers["anthropic-version"] = version
    async with upstream() as running:
        answer = await running.client.post("/v1/messages", headers=headers, json=body())
    assert answer.status_code == 400
    assert "anthropic-version" in answer.json()["error"]["message"]


async def test_a_body_that_is_no_json_is_a_400(upstream) -> None:
    async with upstream() as running:
        answer = await running.client.post("/v1/messages", headers=login(), content=b"{no")
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_openai_clients_are_answered_and_refused_in_their_own_shape(upstream) -> None:
    asked = {"model": "big-model", "messages": [{"role": "user", "content": "hi"}]}
    async with upstream() as running:
        post = running.client.post
        key = {"authorization": "Bearer dune-key"}
        good = await post("/v1/chat/completions", headers=key, json=asked)
        missing = await post("/v1/chat/completions", headers=key, json={**asked, "model": "none"})
        spoken = await post(
            "/v1/responses", headers=key, json={"model": "big-model", "input": "hi"}
        )
    assert good.json()["object"] == "chat.completion"
    assert "x-ratelimit-remaining-requests" in good.headers
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")
    assert spoken.json()["status"] == "completed"


async def test_an_exhausted_account_opens_again_at_its_reset(upstream, clock) -> None:
    async with upstream(clock=clock) as running:
        running.sim.set_used("amber", used_5h=1.0)
        wall = await running.ask()
        assert wall.status_code == 429
        assert wall.headers["anthropic-ratelimit-unified-5h-status"] == "rejected"
        clock.advance(float(wall.headers["retry-after"]))
        assert (await running.ask()).status_code == 200


async def test_a_demanded_quota_wall_looks_like_a_real_one(upstream) -> None:
    async with upstream() as running:
        running.sim.inject(QuotaFault(window="7d", resets_in_s=50))
        wall = await running.ask()
        assert wall.status_code == 429
        assert wall.headers["anthropic-ratelimit-unified-representative-claim"] == "seven_day"
        assert wall.headers["retry-after"] == "50"
        assert (await running.ask()).status_code == 200


async def test_an_error_may_be_the_first_event_of_a_200(upstream) -> None:
    async with upstream() as running:
        running.sim.inject(faults.error_event())
        answer = await running.ask(stream=True)
        assert (answer.status_code, events(answer.text)) == (200, ["error"])
        running.sim.inject(faults.error_event("api_error", after="delta"))
        late = await running.ask(stream=True)
        assert events(late.text)[-2:] == ["content_block_delta", "error"]


async def test_without_a_stream_the_error_is_a_status(upstream) -> None:
    async with upstream() as running:
        running.sim.inject(faults.error_event())
        assert (await running.ask()).status_code == 529


@pytest.mark.parametrize("rst", [True, False])
@pytest.mark.parametrize("after", [None, 1, "delta", "block"])
async def test_a_cut_reaches_the_client_as_reset_or_end(upstream, after, rst) -> None:
    async with upstream(FAST) as running:
        running.sim.inject(CutFault(after=after, rst=rst))
        raw, ended = await raw_answer(running)
        assert ended == ("reset" if rst else "eof")
        # A reset may overtake what was sent before it; an orderly end may not.
        if not rst:
            assert (b"message_start" in raw) is (after is not None)
            assert (b"content_block_stop" in raw) is (after == "block")
        assert b"message_stop" not in raw
        assert running.sim.truth("amber").in_flight == 0
        assert running.sim.truth("amber").cancelled == 0


async def test_an_early_end_is_clean(upstream) -> None:
    async with upstream() as running:
        running.sim.inject(EndFault(after="delta"))
        answer = await running.ask(stream=True)
        assert events(answer.text)[-1] == "content_block_delta"
        running.sim.inject(EndFault(after=1))
        half = await running.ask()
        with pytest.raises(json.JSONDecodeError):
            half.json()


async def test_garbage_arrives_as_a_200(upstream) -> None:
    async with upstream() as running:
        running.sim.inject(GarbageFault(kind="html"))
        assert (await running.ask()).headers["content-type"].startswith("text/html")
        running.sim.inject(GarbageFault(kind="empty"))
        assert (await running.ask(stream=True)).content == b""


async def test_a_hanging_answer_ends_when_the_client_leaves(upstream) -> None:
    async with upstream() as running:
        for after in (None, 0, "delta"):
            running.sim.inject(HangFault(after=after))
            with pytest.raises(httpx2.ReadTimeout):
                await running.client.post(
                    "/v1/messages", headers=login(), json=body(stream=True), timeout=0.1
                )
        await until(lambda: running.sim.truth("amber").cancelled == 3)
        assert running.sim.truth("amber").in_flight == 0


async def test_a_client_that_leaves_in_mid_answer_is_counted(upstream) -> None:
    async with upstream(SimSettings(tokens_per_s=20.0, answer_tokens=(200, 200))) as running:
        ask = running.client.stream("POST", "/v1/messages", headers=login(), json=body(stream=True))
        async with ask as answer:
            await anext(answer.aiter_bytes())
            assert running.sim.truth("amber").in_flight == 1
        await until(lambda: running.sim.truth("amber").in_flight == 0)
        assert running.sim.truth("amber").cancelled == 1


async def test_a_slow_body_still_arrives_whole(upstream) -> None:
    async with upstream() as running:
        running.sim.inject(SlowFault(interval_s=0.001, size=100))
        assert (await running.ask()).json()["type"] == "message"


async def test_a_compressed_answer_reads_the_same(upstream) -> None:
    async with upstream() as running:
        plain = await running.ask(stream=True)
    async with upstream(SimSettings(gzip=True)) as running:
        packed = await running.ask(stream=True)
        refused = await running.client.post(
            "/v1/messages",
            headers={**login(), "accept-encoding": "identity"},
            json=body(stream=True),
        )
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in refused.headers
    assert events(packed.text) == events(plain.text) == events(refused.text)


async def test_speed_is_as_set(upstream, clock) -> None:
    settings = SimSettings(
        time_to_first_token_s=2.0, tokens_per_s=10.0, answer_tokens=(40, 40), speed_jitter=0.0
    )
    async with upstream(settings, clock=clock) as running:
        started = clock.now()
        asking = asyncio.create_task(running.ask(stream=True))
        while not asking.done():
            await asyncio.sleep(0.001)
            if clock.sleeping:
                clock.advance(0.1)
        tokens = json.loads((await asking).text.split("data: ")[-2].split("\n")[0])
        expected = 2.0 + tokens["usage"]["output_tokens"] / 10.0
        assert clock.now() - started == pytest.approx(expected, abs=1.0)


async def test_concurrency_has_a_hidden_limit(upstream) -> None:
    people = (SimAccount("amber", OAUTH, "max_20x", concurrency=2),)
    settings = SimSettings(time_to_first_token_s=0.1)
    async with upstream(settings, people) as running:
        answers = await asyncio.gather(*(running.ask() for _ in range(4)))
        assert sorted(a.status_code for a in answers) == [200, 200, 429, 429]
        burst = next(a for a in answers if a.status_code == 429)
        assert burst.json()["error"]["message"] == "Rate limited"
        assert not any("unified" in name for name in burst.headers)
        assert running.sim.truth("amber").peak_in_flight == 2


async def raw_answer(running: Running) -> tuple[bytes, str]:
    """What a bare socket reads until the connection ends, and how it ended."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    content = json.dumps(body(stream=True)).encode()
    fields = {**login(), "host": "x", "content-length": str(len(content))}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"POST /v1/messages HTTP/1.1\r\n{head}\r\n".encode() + content)
    raw = b""
    try:
        while chunk := await asyncio.wait_for(reader.read(65536), 5):
            raw += chunk
    except ConnectionResetError:
        return raw, "reset"
    finally:
        writer.close()
    return raw, "eof"


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the truth is polled, it announces nothing
            await asyncio.sleep(0.005)

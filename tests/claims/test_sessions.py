"""Real clients' requests pass unchanged, their sessions stay, and programs stay where they may (S9, R20)."""

from __future__ import annotations

import json

import pytest

from tests.rig import CLAUDE_CODE, ask, key, plan, rig
from tests.wire import captures

CLIENTS = [("claude-code", None), ("claude-code", "sub-agent"), ("python-sdk", None)]


@pytest.mark.parametrize(("client", "note"), CLIENTS)
async def test_a_recorded_request_passes_with_body_and_own_headers_unchanged(client, note):
    row = captures.recorded(client, note)
    sent, body = captures.fields(row), captures.body(row)
    if client == "claude-code":
        assert abs(len(body) - row["body_bytes"]) < 200
    async with rig(key("a", models=("*",))) as it:
        sent = {n: v for n, v in sent.items() if n not in ("host", "content-length")}
        got = await it.send("POST", row["target"], sent, body)
        assert got.status == 200, got.body
        seen = it.sim.requests[-1]
        assert seen.body == body
        assert f"{seen.path}?{seen.query}".rstrip("?") == row["target"]
        for name, value in sent.items():
            if name.startswith(("anthropic-", "x-stainless-", "x-claude-", "x-app", "user-agent")):
                assert seen.header(name) == value


async def test_six_turns_of_a_session_stay_on_one_account():  # S9
    async with rig(plan("p"), plan("q"), plan("r")) as it:
        for entry in range(3):
            headers = {**CLAUDE_CODE, "x-claude-code-session-id": f"session-{entry}"}
            for turn in range(6):
                body = json.loads(ask("x" * 20_000))
                body["messages"] += [{"role": "assistant", "content": "ok"}] * turn
                body["messages"].append({"role": "user", "content": f"turn {turn}"})
                assert (await it.post(json.dumps(body).encode(), headers=headers)).whole
        homes = it.asked()
        assert [len(set(homes[n : n + 6])) for n in (0, 6, 12)] == [1, 1, 1]


async def test_a_conversation_without_any_session_header_stays_too():
    people = {name: {"priority": 0} for name in "abc"}
    async with rig(entries=people) as it:
        body = json.loads(ask("the same first message " * 500))
        for turn in range(4):
            body["messages"].append({"role": "assistant", "content": "ok"})
            body["messages"].append({"role": "user", "content": f"turn {turn}"})
            assert (await it.post(json.dumps(body).encode())).whole
        assert len(set(it.asked())) == 1


async def test_a_subscription_serves_claude_code_only():
    async with rig(plan("p"), key("k")) as it:
        assert (await it.post(headers=CLAUDE_CODE)).account == "p"
        assert (await it.post()).account == "k"
        assert (await it.post(headers={"user-agent": "claude-cli/2.1"})).account == "k"
        assert (await it.post(headers={"x-app": "cli"})).account == "k"
    async with rig(plan("p")) as it:
        got = await it.post()
        assert got.error == (403, "permission_error")
        assert got.fields["x-should-retry"] == "false"
        assert not it.asked()


async def test_thinking_that_is_signed_never_goes_to_another_provider():  # S11
    thought = [{"type": "thinking", "thinking": "hm", "signature": "c2lnbmVk" * 8}]
    body = json.loads(ask())
    body["messages"] += [
        {"role": "assistant", "content": [*thought, {"type": "text", "text": "ok"}]},
        {"role": "user", "content": "go on"},
    ]
    entries = {"a": {"provider": "elsewhere"}}
    async with rig(key("a"), key("b"), entries=entries) as it:
        await it.post(json.dumps(body).encode())
        assert it.asked() == ["b"]
        assert (await it.post()).account == "a"

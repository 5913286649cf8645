"""The admin API over the real proxy: the key, accounts, commands, sessions, decisions."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace

import pytest

from maxpool.app.edits import FileEdits
from maxpool.config.load import load
from maxpool.core.lease import CredentialChange
from maxpool.errors import MaxpoolError
from maxpool.service.editing import Editing
from maxpool.sim import faults
from maxpool.sim.faults import HangFault
from tests.rig import ADMIN_KEY, JSON, MODEL, ask, key, request_bytes, rig, until

SESSION = {"x-claude-code-session-id": "session-1"}
KEYS = [{"name": "laptop", "sha256": hashlib.sha256(b"the-client-key").hexdigest()}]


ADMIN_PATHS = [
    ("/admin/accounts", ["GET", "POST"]),
    ("/admin/accounts/a", ["GET", "PATCH", "DELETE"]),
    ("/admin/accounts/a/disable", ["POST"]),
    ("/admin/accounts/a/probe", ["POST"]),
    ("/admin/accounts/a/topup", ["POST"]),
    ("/admin/accounts/a/refresh", ["POST"]),
    ("/admin/keys", ["GET", "POST"]),
    ("/admin/keys/laptop", ["DELETE"]),
    ("/admin/probes", ["GET", "POST"]),
    ("/admin/pause", ["POST"]),
    ("/admin/reload", ["POST"]),
    ("/admin/stop", ["POST"]),
    ("/admin/sessions", ["GET"]),
    ("/admin/sessions/s/move", ["POST"]),
    ("/admin/decisions", ["GET"]),
    ("/admin/decisions/x", ["GET"]),
    ("/admin/explain?model=m", ["GET"]),
    ("/admin", ["GET"]),
    ("/admin/", ["GET"]),
    ("/admin/nowhere", ["GET"]),
]
SHOWN = [
    {},
    {"x-maxpool-admin-key": "wrong"},
    {"authorization": "Bearer wrong"},
    {"authorization": f"Basic {ADMIN_KEY}"},
    {"x-maxpool-admin-key": hashlib.sha256(ADMIN_KEY.encode()).hexdigest()},
    {"x-maxpool-admin-key": f"{ADMIN_KEY}x"},
    {"x-maxpool-admin-key": "w\u00e9", "authorization": f"Bearer {ADMIN_KEY}"},
    {"x-maxpool-key": "the-client-key"},
    {"authorization": "Bearer the-client-key"},
    {"x-api-key": ADMIN_KEY},
    {"x-maxpool-key": ADMIN_KEY},
]


@pytest.mark.parametrize("shown", SHOWN, ids=range(len(SHOWN)))
async def test_nothing_under_admin_opens_without_its_key_on_loopback_too(shown):  # X3
    async with rig(client_keys=KEYS) as it:
        before = it.proxy.pool.snapshot(0.0)
        for path, methods in ADMIN_PATHS:
            for method in methods:
                got = await it.send(method, path, {**JSON, **shown}, b"{}")
                assert got.error == (401, "authentication_error"), (method, path)
        assert it.proxy.pool.snapshot(0.0) == before


@pytest.mark.parametrize(
    "shown",
    [{"x-maxpool-admin-key": ADMIN_KEY}, {"authorization": f"bearer {ADMIN_KEY}"}],
    ids=["header", "bearer"],
)
async def test_the_key_opens_it_with_no_client_key_besides(shown):  # X3
    async with rig(client_keys=KEYS, server={"require_key": True}) as it:
        assert (await it.get("/admin/accounts", shown)).status == 200
        assert (await it.get("/v1/models", shown)).status == 401


async def test_the_server_holds_only_the_keys_digest():  # X3
    async with rig() as it:
        guard = it.proxy.app
        assert guard.admin_digest == hashlib.sha256(ADMIN_KEY.encode()).hexdigest()
        assert ADMIN_KEY not in repr(guard.rules)


async def test_without_a_key_of_its_own_the_server_has_no_admin_api():
    async with rig() as it:
        it.proxy.app.admin_digest = ""
        for shown in ({}, {"x-maxpool-admin-key": ""}, {"x-maxpool-admin-key": ADMIN_KEY}):
            got = await it.get("/admin/accounts", shown)
            assert got.error == (403, "permission_error")


async def test_origin_host_and_content_type_are_checked_with_the_key_too():  # X1
    async with rig() as it:
        assert (await it.admin("GET", "/accounts", origin="http://evil.example")).status == 403
        client = await it.connect()
        shown = {"host": "evil.example", "connection": "close", "x-maxpool-admin-key": ADMIN_KEY}
        await client.send(request_bytes(b"{}", "/admin/pause", **shown))
        assert (await client.rest()).startswith(b"HTTP/1.1 403 ")
        got = await it.admin("POST", "/pause", **{"content-type": "text/plain"})
        assert got.status == 415
        assert not it.proxy.pool.paused


async def test_the_admin_key_never_goes_upstream():  # R22
    async with rig() as it:
        assert (await it.post(headers={"x-maxpool-admin-key": ADMIN_KEY})).whole
        sent = it.sim.requests[-1].headers
        assert not [value for _, value in sent if ADMIN_KEY.encode() in value]


# -- the pool --------------------------------------------------------------------------------------


async def test_paused_requests_wait_and_go_on():
    async with rig() as it:
        assert (await it.admin("POST", "/pause")).json["paused"] is True
        answer = asyncio.ensure_future(it.post())
        await until(lambda: len(it.proxy.pool.queue))
        assert not it.asked()
        assert (await it.status())["summary"]["verdict"].endswith("paused by hand")
        assert (await it.admin("POST", "/resume", {})).json["paused"] is False
        assert (await answer).whole


async def test_an_empty_body_is_an_empty_object_and_anything_else_is_a_400():
    async with rig() as it:
        headers = {**JSON, "x-maxpool-admin-key": ADMIN_KEY}
        for body, status in (
            (b"", 200),
            (b"{}", 200),
            (b"[]", 400),
            (b"{", 400),
            (b"[" * 99_999, 400),
            (b'{"a": NaN}', 400),
            (b" " * ((1 << 20) + 1), 413),
        ):
            got = await it.send("POST", "/admin/resume", headers, body)
            assert got.status == status, body[:20]


async def test_preferring_comes_before_priority_until_automatic():
    async with rig() as it:
        assert (await it.admin("POST", "/accounts/c/prefer")).json["preferred"] is True
        assert (await it.post()).account == "c"
        assert (await it.status())["summary"]["preferred"] is not None
        assert (await it.admin("POST", "/automatic")).json["preferred"] is None
        assert (await it.post(ask("another"))).account == "a"


async def test_a_drained_account_finishes_what_it_has_and_gets_nothing_new():
    async with rig() as it:
        it.sim.inject(HangFault(after="delta", seconds=0.3), "a")
        first = asyncio.ensure_future(it.post())
        await until(lambda: it.sim.truth("a").in_flight)
        assert (await it.admin("POST", "/accounts/a/drain")).json["state"] == "draining"
        assert (await it.post(ask("another"))).account in ("b", "c")
        assert (await first).whole
        assert (await it.admin("POST", "/accounts/a/enable")).json["state"] == "ready"
        assert (await it.post(ask("a third"))).account == "a"


async def test_a_reset_brings_back_what_was_benched():
    async with rig() as it:
        it.sim.inject(faults.organization_disabled(), "a")
        assert (await it.post()).account in ("b", "c")
        assert (await it.state("a"))["state"] == "closed"
        assert (await it.admin("POST", "/accounts/a/reset")).json["state"] == "ready"
        assert (await it.post(ask("another"))).account == "a"


async def test_a_reset_opens_no_account_that_moved_elsewhere_and_a_confirmation_does():  # X5
    async with rig() as it:
        it.proxy.origins.bound[it.proxy.operator.account_id("a")] = "https://elsewhere.example"
        it.proxy.bind_origins()
        got = await it.admin("POST", "/accounts/a/reset")
        assert got.error == (409, "invalid_request_error")
        assert "maxpool accounts confirm a" in got.json["error"]["message"]
        assert (await it.state("a"))["state"] == "locked_out"
        assert "maxpool accounts confirm a" in (await it.state("a"))["unavailable"]["detail"]
        assert (await it.admin("POST", "/accounts/a/confirm")).json["state"] == "ready"
        assert (await it.admin("POST", "/accounts/a/confirm")).status == 409
        assert (await it.admin("POST", "/accounts/a/reset")).json["state"] == "ready"


async def test_a_reset_vouches_for_no_dead_login():
    async with rig() as it:
        account_id = it.proxy.operator.account_id("a")
        it.proxy.pool.credential(account_id, CredentialChange("dead", reason="revoked"), 0.0)
        got = await it.admin("POST", "/accounts/a/reset")
        assert (got.status, it.proxy.pool.states[account_id].credential.dead) == (409, "revoked")
        assert "a is locked (revoked)" in got.json["error"]["message"]


@pytest.mark.parametrize("priority", [1_000_001, -1_000_001, 10**30])
async def test_a_priority_has_bounds(priority):
    async with rig() as it:
        got = await it.admin("PATCH", "/accounts/a", {"priority": priority})
        assert got.error == (400, "invalid_request_error")
        assert (await it.state("a"))["priority"] == 0


async def test_reload_tells_what_is_wrong_and_stop_asks_the_server():
    async with rig() as it:
        assert (await it.admin("POST", "/reload")).status == 200

        def broken():
            raise OSError

        it.proxy.reloader.load = broken
        got = await it.admin("POST", "/reload")
        assert got.error == (400, "invalid_request_error")
        assert "earlier one still holds" in got.json["error"]["message"]
        asked: list[bool] = []
        it.proxy.operator.stop = lambda: asked.append(True)
        assert (await it.admin("POST", "/stop", {})).status == 202
        assert asked


# -- accounts --------------------------------------------------------------------------------------


async def test_an_account_is_named_by_id_or_name_and_shown_with_its_settings():
    async with rig() as it:
        by_name = (await it.admin("GET", "/accounts/b")).json
        by_id = (await it.admin("GET", f"/accounts/{by_name['id']}")).json
        assert by_name["name"] == by_id["name"] == "b"
        assert (by_name["priority"], by_name["secret"]) == (1, "env:b")
        listed = (await it.admin("GET", "/accounts")).json["accounts"]
        assert [a["name"] for a in listed] == ["a", "b", "c"]
        assert (await it.admin("GET", "/accounts/nobody")).error == (404, "not_found_error")


async def test_changed_settings_hold_at_once_and_say_until_when():
    async with rig() as it:
        got = await it.admin("PATCH", "/accounts/c", {"priority": -1, "caps": {"5h": 0.5}})
        assert got.json["overrides"] == {"priority": -1, "caps": {"5h": 0.5}}
        assert "until the config says something else" in got.json["note"]
        assert (await it.post()).account == "c"
        assert (await it.state("c"))["overrides"]["priority"] == -1
        it.proxy.apply(it.proxy.config)
        assert (await it.admin("GET", "/accounts/c")).json["priority"] == -1
        assert (await it.admin("PATCH", "/accounts/c", {"enabled": False})).json["enabled"] is False
        assert (await it.post(ask("another"))).account == "a"


@pytest.mark.parametrize(
    "body",
    [{}, {"name": "x"}, {"secret": "sk"}, {"priority": "1"}, {"weight": -1}, {"enabled": 1}],
)
async def test_what_cannot_be_changed_is_a_400_and_changes_nothing(body):
    async with rig() as it:
        before = (await it.admin("GET", "/accounts/a")).json
        got = await it.admin("PATCH", "/accounts/a", body)
        assert got.error == (400, "invalid_request_error")
        after = (await it.admin("GET", "/accounts/a")).json
        assert {**after, "now": 0} == {**before, "now": 0}


async def test_an_account_added_at_run_time_serves_and_goes_again():
    extra = key("extra")
    async with rig(key("a"), extra) as it:
        body = {"name": "r", "secret": extra.secret, "priority": -5}
        got = await it.admin("POST", "/accounts", body)
        assert (got.status, got.json["runtime"], got.json["secret"]) == (201, True, "given")
        assert (await it.post()).account == "r"
        assert it.asked() == ["extra"]
        assert (await it.state("r"))["runtime"] is True
        assert (await it.state("a"))["runtime"] is False
        for path in ("/admin/accounts", "/status"):
            shown = await it.get(path, {"x-maxpool-admin-key": ADMIN_KEY})
            assert extra.secret.encode() not in shown.body
        assert (await it.admin("DELETE", "/accounts/r")).status == 200
        assert (await it.post(ask("another"))).account == "a"


async def test_an_account_of_the_config_is_removed_there():
    async with rig() as it:
        got = await it.admin("DELETE", "/accounts/a")
        assert got.error == (409, "invalid_request_error")
        assert "[[accounts]]" in got.json["error"]["message"]
        assert (await it.post()).account == "a"


@pytest.fixture
async def filed(tmp_path, monkeypatch):
    """A proxy whose accounts `a` and `b` stand in a config file."""
    monkeypatch.setenv("MAXPOOL_HOME", str(tmp_path / "state"))
    path = tmp_path / "config.toml"
    async with rig(key("a"), key("b")) as it:
        path.write_text(
            f'[upstream]\nbase_url = "{it.upstream.url}"\n'
            + "".join(f'[[accounts]]\nname = "{n}"\nsecret = "env:{n}"\n' for n in "ab")
        )
        operator = it.proxy.operator
        operator.config_path = path
        operator.editing = Editing(FileEdits(path), operator.reload)
        it.proxy.reloader.load = lambda: load(path)
        yield it, path


async def test_an_account_of_the_config_file_is_removed_from_it(filed):
    it, path = filed
    got = await it.admin("DELETE", "/accounts/a")
    assert (got.status, got.json["name"]) == (200, "a")
    assert "is removed from" in got.json["result"]
    assert 'name = "a"' not in path.read_text()
    assert (await it.post()).account == "b"


async def test_a_file_that_cannot_be_edited_is_a_409_with_the_command(filed):
    it, path = filed
    path.unlink()
    path.mkdir()
    got = await it.admin("DELETE", "/accounts/a")
    assert got.error == (409, "invalid_request_error")
    assert "maxpool accounts remove a" in got.json["error"]["message"]
    assert (await it.post()).account == "a"


async def test_a_client_key_is_told_once_and_opens_until_it_is_revoked(filed):
    it, path = filed
    limits = {"models": ["claude-*"], "requests": 2, "max_wait": "1min", "expires": "2999-12-31"}
    made = await it.admin("POST", "/keys", {"name": "laptop", "priority": 3, **limits})
    secret = made.json["key"]
    assert (made.status, secret[:4]) == (201, "mpk-")
    listed = await it.admin("GET", "/keys")
    laptop = {"name": "laptop", "priority": 3, "limits": limits, "kept": "hash"}
    assert listed.json["keys"] == [laptop]
    assert secret not in path.read_text() + listed.body.decode()
    assert [name for name, _ in it.proxy.app.rules.keys] == ["laptop"]
    assert (await it.admin("DELETE", "/keys/laptop")).json == {"revoked": "laptop"}
    assert it.proxy.app.rules.keys == ()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"name": 1}, 400),
        ({"name": "k", "priority": True}, 400),
        ({"name": "k", "x": 1}, 400),
        ({"name": ""}, 409),
        ({"name": "local"}, 409),
        ({"name": "k", "priority": 101}, 409),
        ({"name": "k", "requests": 0}, 409),
        ({"name": "k", "models": [7]}, 409),
        ({"name": "k", "max_wait": "soon"}, 409),
        ({"name": "k", "expires": "never"}, 409),
    ],
)
async def test_a_wrong_key_is_not_made(filed, body, status):
    it, path = filed
    before = path.read_text()
    assert (await it.admin("POST", "/keys", body)).status == status
    assert path.read_text() == before


async def test_without_a_config_file_there_is_no_place_for_keys():
    async with rig() as it:
        assert (await it.admin("POST", "/keys", {"name": "k"})).status == 409
        assert (await it.admin("DELETE", "/keys/k")).status == 409


async def test_usage_and_tokens_are_asked_for_by_hand_and_what_came_of_it_is_told():
    asked = []

    async def ask_for(account_id: str) -> str:
        asked.append(account_id)
        return "5h 40 % used."

    async def refuse(_account_id: str) -> str:
        raise MaxpoolError("it was asked a moment ago", "Ask again in 30 s")

    async with rig() as it:
        it.proxy.operator.probe, it.proxy.operator.refresh = ask_for, refuse
        got = (await it.admin("POST", "/accounts/b/probe")).json
        assert (got["name"], got["result"], asked) == ("b", "5h 40 % used.", [got["id"]])
        refused = await it.admin("POST", "/accounts/b/refresh")
        assert refused.error == (409, "invalid_request_error")
        assert "Ask again in 30 s." in refused.json["error"]["message"]
        it.proxy.operator.probe = it.proxy.operator.refresh = None
        for what in ("probe", "refresh"):
            assert (await it.admin("POST", f"/accounts/b/{what}")).status == 409


async def test_probes_are_listed_and_all_that_can_be_are_asked():
    async def ask_for(account_id: str) -> str:
        return account_id

    async with rig() as it:
        it.proxy.operator.probe = ask_for
        listed = (await it.admin("GET", "/probes")).json["probes"]
        assert [(p["account"], p["probed"]) for p in listed] == [(n, False) for n in "abc"]
        state = it.proxy.pool.states[it.proxy.operator.account_id("b")]
        state.account = replace(state.account, probes=True)
        done = (await it.admin("POST", "/probes")).json["probes"]
        assert done == [{"account": "b", "result": state.account.id}]


async def test_another_credential_revives_a_run_time_account_and_the_same_one_does_not():
    good = key("good")
    async with rig(key("a"), good) as it:
        body = {"name": "r", "secret": "sk-ant-api03-wrong", "priority": -5}
        assert (await it.admin("POST", "/accounts", body)).status == 201
        assert (await it.post()).account == "a"
        assert (await it.state("r"))["state"] == "locked_out"
        assert (await it.admin("POST", "/accounts", body)).json["state"] == "locked_out"
        again = await it.admin("POST", "/accounts", {**body, "secret": good.secret})
        assert (again.status, again.json["state"]) == (200, "ready")
        assert (await it.post(ask("another"))).account == "r"


async def test_another_origin_revives_a_run_time_account():
    good = key("good")
    async with rig(key("a"), good) as it:
        body = {"name": "r", "secret": good.secret, "priority": -5, "base_url": it.upstream.url}
        it.sim.inject(faults.organization_disabled(), "good")
        await it.admin("POST", "/accounts", body)
        assert (await it.post()).account == "a"
        assert (await it.admin("POST", "/accounts", body)).json["state"] == "closed"
        moved = {**body, "base_url": it.upstream.url.replace("127.0.0.1", "localhost")}
        assert (await it.admin("POST", "/accounts", moved)).json["state"] == "ready"


async def test_a_command_secret_is_never_set_over_http():  # X7
    async with rig() as it:
        got = await it.admin("POST", "/accounts", {"name": "r", "secret": "command:touch /tmp/x"})
        assert got.error == (400, "invalid_request_error")
        assert "config file" in got.json["error"]["message"]
        assert (await it.admin("PATCH", "/accounts/a", {"secret": "command:x"})).status == 400


# -- sessions --------------------------------------------------------------------------------------


async def test_a_session_moves_and_stays_moved():
    async with rig() as it:
        assert (await it.post(headers=SESSION)).account == "a"
        got = await it.admin("POST", "/sessions/session-1/move", {"account": "b"})
        assert got.json["account"] == "b"
        (session,) = (await it.admin("GET", "/sessions")).json["sessions"]
        assert (session["session"], session["account"]) == ("session-1", "b")
        for path, body in (
            ("/sessions/nobody/move", {"account": "b"}),
            ("/sessions/session-1/move", {"account": "nobody"}),
        ):
            assert (await it.admin("POST", path, body)).error == (404, "not_found_error")
        assert (await it.admin("POST", "/sessions/session-1/move", {})).status == 400
        await it.admin("POST", "/accounts/c/disable")
        got = await it.admin("POST", "/sessions/session-1/move", {"account": "c"})
        assert got.status == 409


# -- decisions -------------------------------------------------------------------------------------


async def test_a_request_is_explained_by_its_id_or_its_leases_with_every_try():
    async with rig() as it:
        it.sim.inject(faults.status(500), "a")
        got = await it.post(headers=SESSION)
        request_id = got.fields["x-request-id"]
        told = (await it.admin("GET", f"/decisions/{request_id}")).json
        assert [t["account"] for t in told["tries"]] == ["a", got.account]
        assert [t["outcome"] for t in told["tries"]] == ["transient_failure", "success"]
        assert (told["status"], told["session"], told["model"]) == (200, "session-1", MODEL)
        for one in told["tries"]:
            (chosen,) = [c for c in one["candidates"] if c["chosen"]]
            assert chosen["account"] == one["account"]
            assert chosen["total"] == pytest.approx(sum(chosen["cost"].values()), abs=0.01)
            by_lease = (await it.admin("GET", f"/decisions/{one['lease']}")).json
            assert by_lease["request_id"] == request_id


async def test_a_caller_that_leaves_is_told_as_such():
    async with rig() as it:
        await it.admin("POST", "/pause")
        client = await it.connect()
        await client.send(request_bytes())
        await until(lambda: len(it.proxy.pool.queue))
        client.reset()
        await until(it.idle)
        (told,) = (await it.admin("GET", "/decisions")).json["decisions"]
        assert (told["status"], told["tries"], told["refusal"]) == (0, [], None)


async def test_a_refused_request_is_explained_too():
    async with rig() as it:
        for name in "abc":
            await it.admin("POST", f"/accounts/{name}/disable")
        got = await it.post()
        told = (await it.admin("GET", f"/decisions/{got.fields['request-id']}")).json
        assert (told["status"], told["tries"]) == (got.status, [])
        assert told["refusal"]["reason"] == "disabled"
        assert told["refusal"]["counts"] == {"disabled": 3}


async def test_a_wait_is_told_with_the_try_it_led_to():
    async with rig(key("a"), pool={"slots_per_key": 1}) as it:
        it.sim.inject(HangFault(after="delta", seconds=0.3), "a")
        first = asyncio.ensure_future(it.post())
        await until(lambda: it.sim.truth("a").in_flight)
        second = await it.post(ask("another"))
        await first
        told = (await it.admin("GET", f"/decisions/{second.fields['x-request-id']}")).json
        assert told["tries"][0]["waited_s"] > 0.1
        assert told["waited_s"] > 0.1


async def test_the_latest_come_first_and_can_be_picked():
    async with rig() as it:
        for number in range(3):
            await it.post(ask(f"question {number}"), headers={"x-maxpool-session": f"s{number}"})
        await it.post(path="/v1/messages/count_tokens")

        async def listed(query):
            got = await it.admin("GET", f"/decisions?{query}")
            return [d["session"] for d in got.json["decisions"]]

        assert (await listed("kind=messages")) == ["s2", "s1", "s0"]
        assert (await listed("kind=messages&limit=1")) == ["s2"]
        assert (await listed("session=s1")) == ["s1"]
        assert (await listed(f"model={MODEL}&account=a&kind=messages")) == ["s2", "s1", "s0"]
        assert (await listed("account=b")) == []
        assert (await listed("model=other")) == []
        assert (await it.admin("GET", "/decisions?limit=x")).status == 400
        assert (await it.admin("GET", "/decisions?account=nobody")).status == 404


async def test_an_unknown_request_is_a_404_that_says_how_many_are_kept():
    async with rig() as it:
        got = await it.admin("GET", "/decisions/nothing")
        assert got.error == (404, "not_found_error")
        assert "x-request-id" in got.json["error"]["message"]


async def test_no_word_of_a_prompt_or_an_answer_shows_in_decisions():  # O6
    question = "zebra-question-7316"
    async with rig() as it:
        got = await it.post(ask(question, system=f"about {question}"), headers=SESSION)
        it.sim.inject(faults.status(500), None)
        failed = await it.post(ask(question))
        told = b""
        for path in ("/decisions", f"/decisions/{got.fields['x-request-id']}", "/sessions"):
            told += (await it.admin("GET", path)).body
        assert question.encode() not in told
        words = [w for w in got.body.split(b'"') if len(w) > 30 and b" " in w and b"{" not in w]
        assert words
        assert not [w for w in words if w in told]
        assert failed.status


async def test_reading_changes_nothing():  # S21
    async with rig() as it:
        got = await it.post(headers=SESSION)
        before = json.dumps(it.proxy.pool.snapshot(0.0))
        for path in (
            "/accounts",
            "/accounts/a",
            "/keys",
            "/probes",
            "/sessions",
            "/decisions",
            f"/decisions/{got.fields['x-request-id']}",
            f"/explain?model={MODEL}&session=session-1&input_tokens=5000",
            f"/explain?model={MODEL}&session=new&program=claude-code",
        ):
            assert (await it.admin("GET", path)).status == 200, path
        assert json.dumps(it.proxy.pool.snapshot(0.0)) == before
        assert it.idle()


async def test_what_would_be_chosen_is_what_is_chosen():
    async with rig() as it:
        path = f"/explain?model={MODEL}&session=session-1&input_tokens=30"
        told = (await it.admin("GET", path)).json
        assert (await it.post(headers=SESSION)).account == told["chosen"] == "a"
        await it.admin("POST", "/accounts/a/disable")
        told = (await it.admin("GET", path)).json
        assert told["chosen"] in ("b", "c")
        assert told["counts"] == {"disabled": 1}
        assert [(u["account"], u["reason"]) for u in told["unavailable"]] == [("a", "disabled")]
        assert {c["account"] for c in told["candidates"]} == {"b", "c"}


async def test_when_nobody_could_serve_it_says_what_for():
    async with rig(key("a")) as it:
        await it.admin("POST", "/accounts/a/drain")
        told = (await it.admin("GET", f"/explain?model={MODEL}")).json
        assert told["chosen"] is None
        assert told["waits_for"]["reason"] == "draining"
        assert (await it.admin("GET", "/explain")).error == (400, "invalid_request_error")
        assert (await it.admin("GET", "/explain?model=m&input_tokens=-1")).status == 400

from __future__ import annotations

import pytest

from maxpool.config.alerts import AlertsConfig
from tests.rig import CLAUDE_CODE, plan, rig, until
from tests.service.test_delivery import posting


async def test_alerts_targets_and_rules_are_told_and_no_url_is():
    async with posting() as far, rig(alerts={"targets": {"x": f"{far.url}/s3cret"}}) as it:
        got = await it.admin("GET", "/alerts")
        assert got.json["alerts"] == []
        assert got.json["targets"].keys() == {"x"}
        assert "login-dead" in {rule["name"] for rule in got.json["rules"]}
        assert b"s3cret" not in got.body


async def test_a_test_message_arrives_or_its_trouble_is_said():
    async with posting(200, 500) as far, rig(alerts={"targets": {"x": far.url}}) as it:
        assert (await it.admin("POST", "/alerts/test", {"target": "x"})).json["arrived"]
        assert far.receiver.got[0][2]["alerts"][0]["status"] == "test"
        failed = await it.admin("POST", "/alerts/test", {"target": "x"})
        assert failed.error == (502, "api_error")
        assert "answered with 500" in failed.json["error"]["message"]
        unknown = await it.admin("POST", "/alerts/test", {"target": "y"})
        assert unknown.status == 404


async def test_a_silence_is_kept_and_0_ends_it():
    async with rig() as it:
        made = await it.admin("POST", "/alerts/silence", {"for_s": 3600, "account": "max-*"})
        assert [(s["rule"], s["account"]) for s in made.json["silences"]] == [("*", "max-*")]
        ended = await it.admin("POST", "/alerts/silence", {"for_s": 0, "account": "max-*"})
        assert ended.json["silences"] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("test", {}),
        ("test", {"target": 3}),
        ("silence", {}),
        ("silence", {"for_s": "1h"}),
        ("silence", {"for_s": True}),
        ("silence", {"for_s": -1}),
        ("silence", {"for_s": 1e12}),
        ("silence", {"for_s": 1, "what": 1}),
        ("silence", {"for_s": 1, "rule": None}),
    ],
)
async def test_what_cannot_be_meant_is_a_400(path, body):
    async with rig() as it:
        assert (await it.admin("POST", f"/alerts/{path}", body)).error == (
            400,
            "invalid_request_error",
        )


async def test_nobody_without_the_admin_key_sees_or_sends_anything():  # X3
    async with posting() as far, rig(alerts={"targets": {"x": far.url}}) as it:
        assert (await it.get("/admin/alerts")).status == 401
        body = b'{"target": "x"}'
        assert (await it.post(body, "/admin/alerts/test")).status == 401
        assert not far.receiver.got


async def test_a_running_server_tells_its_targets_by_itself():
    rules = [{"when": "window", "above": 0.2, "name": "used"}]
    async with posting() as far:
        alerts = {"targets": {"x": far.url}, "rules": rules}
        async with rig(plan("p", used_5h=0.3), alerts=alerts) as it:
            await it.post(headers=CLAUDE_CODE)
            it.proxy.books.events.tell("account_state", "p", "p")
            await until(lambda: far.receiver.got)
            (alert,) = far.receiver.got[0][2]["alerts"]
            assert (alert["rule"], alert["account"], alert["about"]) == ("used", "p", "5h")
            assert (await it.status())["jobs"]["alerts"]["firing"] == 1
            again = it.proxy.config.model_copy(update={"alerts": AlertsConfig()})
            it.proxy.apply(again)
            assert (await it.admin("GET", "/alerts")).json["targets"] == {}

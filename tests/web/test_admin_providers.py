import pytest

from maxpool.web.admin_providers import MODES
from tests.rig import MODEL, key, plan, rig


async def test_a_model_tells_who_serves_it_and_which_clients_may_ask():
    async with rig(plan("p"), key("k")) as it:
        found = (await it.admin("GET", f"/models/{MODEL}")).json
        assert found["clients"] == ["claude-code", "others"]
        lines = {line["account"]: line for line in found["accounts"]}
        assert lines["k"]["clients"] == ["claude-code", "others"]
        assert found["ready"] == len(lines)


async def test_an_account_that_cannot_serve_a_model_now_says_why_and_until_when():
    async with rig() as it:
        await it.admin("POST", "/accounts/a/disable")
        found = (await it.admin("GET", f"/models/{MODEL}")).json
        line = next(one for one in found["accounts"] if one["account"] == "a")
        assert (line["ready"], line["reason"]) == (False, "disabled")
        assert found["ready"] == 2


async def test_the_list_has_every_model_the_accounts_offer():
    entries = {"a": {"models": {"own-name": "big", "claude-*": "big"}}}
    async with rig(key("a"), key("b"), entries=entries) as it:
        found = (await it.admin("GET", "/models")).json
        names = [one["model"] for one in found["models"]]
        assert {"own-name", MODEL} <= set(names)
        assert names == sorted(names)
        own = next(one for one in found["models"] if one["model"] == "own-name")
        assert ("a", "big") in [(a["account"], a["sent_as"]) for a in own["accounts"]]


async def test_providers_tell_origin_format_state_and_warmth():
    async with rig(key("a"), plan("p")) as it:
        found = (await it.admin("GET", "/providers")).json
        one = next(p for p in found["providers"] if p["name"] == "a")
        assert one["base_url"] == it.upstream.url
        assert (one["format"], one["state"], one["warmth"]) == ("anthropic", "ready", None)
        assert found["warmth"]["mode"] == "eco"


async def test_the_mode_of_checks_is_switched_at_once_and_a_wrong_one_is_named():
    async with rig() as it:
        said = await it.admin("POST", "/warmth", {"mode": "aggressive"})
        assert said.json["mode"] == "aggressive"
        assert it.proxy.probing.warmer.warmth.mode == "aggressive"
        assert (await it.admin("GET", "/warmth")).json["interval_s"] == 10.0
        assert (await it.status())["jobs"]["warmth"]["mode"] == "aggressive"
        wrong = await it.admin("POST", "/warmth", {"mode": "warp"})
        assert wrong.error == (400, "invalid_request_error")
        assert all(mode in wrong.json["error"]["message"] for mode in MODES)


@pytest.mark.parametrize("path", ["/models", "/models/x", "/providers", "/warmth"])
async def test_nobody_looks_without_the_admin_key(path):
    async with rig() as it:
        assert (await it.get(f"/admin{path}")).status in (401, 403)


async def test_a_mode_set_by_hand_holds_until_the_config_says_another():
    async with rig() as it:
        await it.admin("POST", "/warmth", {"mode": "off"})
        config = it.proxy.config
        it.proxy.probing.follow(config)
        assert (await it.admin("GET", "/warmth")).json["mode"] == "off"
        other = config.prewarm.model_copy(update={"mode": "balanced"})
        it.proxy.probing.follow(config.model_copy(update={"prewarm": other}))
        assert (await it.admin("GET", "/warmth")).json["mode"] == "balanced"


async def test_an_alias_is_listed_with_what_it_stands_for():
    aliases = {"quick": {"targets": ["b/claude-haiku-4-5"]}}
    async with rig(key("a"), key("b"), aliases=aliases) as it:
        found = (await it.admin("GET", "/models")).json["models"]
        one = next(m for m in found if m["model"] == "quick")
        assert [(a["account"], a["sent_as"]) for a in one["accounts"]] == [
            ("b", "claude-haiku-4-5")
        ]
        assert one["stands_for"] == ["b/claude-haiku-4-5"]


async def test_speed_and_success_of_the_last_answers_are_shown():
    async with rig(key("a")) as it:
        await it.post()
        one = (await it.admin("GET", "/providers")).json["providers"][0]
        assert (one["latency"]["answers"], one["latency"]["success"]) == (1, 1.0)
        assert one["latency"]["p95_s"] > 0.0

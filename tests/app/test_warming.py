from __future__ import annotations

import pytest

from maxpool.app.warming import focus_of, questions_of
from maxpool.config.model import Config
from tests.rig import MODEL, key, plan, rig

ENTRIES = [
    {"name": "k", "secret": "env:K"},
    {"name": "p", "kind": "subscription", "secret": "env:P"},
    {
        "name": "c",
        "kind": "provider",
        "format": "openai-chat",
        "base_url": "https://c.example/v1beta/openai",
    },
]


def test_only_keys_and_providers_can_be_asked_each_in_its_own_format():
    config = Config.model_validate({"accounts": ENTRIES})
    found = {q.free_url for q in questions_of(config).values()}
    assert found == {
        "https://api.anthropic.com/v1/models?limit=1000",
        "https://c.example/v1beta/openai/models",
    }


def test_the_environment_says_the_focus_before_the_config(monkeypatch):
    config = Config.model_validate({"prewarm": {"focus": ["a", "b"]}})
    monkeypatch.delenv("MAXPOOL_FOCUS_MODELS", raising=False)
    assert focus_of(config) == ("a", "b")
    monkeypatch.setenv("MAXPOOL_FOCUS_MODELS", "x, y,,z,4,5,6")
    assert focus_of(config) == ("x", "y", "z", "4", "5")


@pytest.mark.parametrize("mode", ["off", "eco"])
async def test_a_proxy_warms_by_its_config(mode):
    async with rig(key("a"), plan("p"), prewarm={"mode": mode, "focus": [MODEL]}) as it:
        told = (await it.status())["jobs"]["warmth"]
        assert told["mode"] == mode
        assert [e["account"] for e in told["entries"]] == ["a"]
        assert told["entries"][0]["state"] == "cold"


async def test_an_alias_in_focus_warms_what_it_stands_for():
    aliases = {"quick": {"targets": ["b/claude-haiku-4-5"]}}
    async with rig(key("a"), key("b"), prewarm={"focus": ["quick"]}, aliases=aliases) as it:
        entries = (await it.status())["jobs"]["warmth"]["entries"]
        assert [(e["account"], e["model"]) for e in entries] == [("b", "claude-haiku-4-5")]

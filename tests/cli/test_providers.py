from __future__ import annotations

import asyncio
import json
import tomllib

import pytest

from tests.cli.operate import run, say
from tests.logins import world
from tests.rig import MODEL, key, plan, rig

CONSOLE = key("console")


async def test_accounts_are_listed_by_provider_with_the_checks_below(tmp_path):
    async with rig(key("a"), plan("p"), prewarm={"focus": [MODEL]}) as it:
        lines = (await run(it, tmp_path, "providers")).stdout.splitlines()
        assert lines[0] == "1 provider, 2 of 2 accounts can serve."
        assert any(line.split()[:3] == ["anthropic", "a", "anthropic"] for line in lines)
        assert any(line.startswith("Checks: eco, every 120 s") for line in lines)


async def test_the_checks_are_switched_and_shown(tmp_path):
    async with rig() as it:
        said = await run(it, tmp_path, "providers", "probes", "aggressive")
        assert "every 10 s" in said.stdout
        assert "until the config says another mode" in said.stdout
        found = await run(it, tmp_path, "providers", "probes", "--json")
        assert json.loads(found.stdout)["mode"] == "aggressive"
        off = await run(it, tmp_path, "providers", "probes", "off")
        assert off.stdout.startswith("Checks are off")


@pytest.mark.parametrize("arguments", [("probes", "warp"), ("add", "x"), ("add", "x", "nowhere")])
def test_wrong_words_are_refused(arguments, tmp_path):
    assert say(tmp_path, "providers", *arguments).exit_code == 2


async def test_a_service_is_tested_without_a_server(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, CONSOLE) as one:
        monkeypatch.setenv("SVC", CONSOLE.secret)
        account = (
            f'[[accounts]]\nname = "svc"\nkind = "provider"\nbase_url = "{one.upstream_url}"\n'
        )
        text = one.config.read_text()
        one.config.write_text(f'{text}{account}secret = "env:SVC"\n')
        asked = ("providers", "test", "svc", "--config", str(one.config))
        good = await asyncio.to_thread(say, tmp_path, *asked)
        assert (good.exit_code, good.stdout.splitlines()[-1]) == (0, "svc answers.")
        monkeypatch.setenv("SVC", "sk-ant-api03-of-nobody-0123456789")
        bad = await asyncio.to_thread(say, tmp_path, *asked, "--json")
        assert (bad.exit_code, json.loads(bad.stdout)["good"]) == (1, False)


async def test_a_service_is_noted_for_its_accounts(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, CONSOLE) as one:
        asked = ("add", "mine", one.upstream_url, "--format", "openai-chat")
        said = await asyncio.to_thread(
            say, tmp_path, "providers", *asked, "--config", str(one.config)
        )
        assert said.exit_code == 0, said.stderr
        data = tomllib.loads(one.config.read_text())
        assert data["providers"]["mine"]["format"] == "openai-chat"

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from maxpool.app.doctor import Doctor, Served, summary
from tests.logins import world
from tests.rig import key, rig

if TYPE_CHECKING:
    from pathlib import Path

    from maxpool.service.gates import Gate

CONSOLE = key("console")


@pytest.fixture(autouse=True)
def nobody_elses_clients(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("ANTHROPIC_BASE_URL", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "OPENCODE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


async def examined(path: Path, **given: object) -> dict[tuple[str, str], Gate]:
    found = await Doctor(config_file=path, **given).examine()  # type: ignore[arg-type]
    return {(gate.about, gate.gate): gate for gate in found}


async def test_a_good_account_passes_every_gate_and_the_missing_server_is_told(
    tmp_path, monkeypatch
):
    async with world(tmp_path, monkeypatch, CONSOLE) as one:
        monkeypatch.setenv("CONSOLE", CONSOLE.secret)
        entry = '[[accounts]]\nname = "c"\nsecret = "env:CONSOLE"\n'
        one.config.write_text(one.config.read_text() + entry)
        found = await examined(one.config)
        mine = {gate: g.verdict for (about, gate), g in found.items() if about == "account c"}
        assert {"credential", "origin", "auth", "models"} <= set(mine)
        assert set(mine.values()) == {"PASS"}
        assert found["server", "running"].todo == "maxpool serve"


async def test_a_wrong_config_is_one_failed_gate_with_its_line(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one:
        one.config.write_text("[server]\nprot = 1\n")
        gate = (await examined(one.config))["config", "readable"]
        assert gate.verdict == "FAIL"
        assert "prot" in gate.said or ":2" in gate.said


async def test_each_trouble_of_an_account_has_its_gate(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, CONSOLE) as one:
        monkeypatch.setenv("WRONG", "sk-ant-api03-of-nobody-0123456789")
        monkeypatch.delenv("ABSENT", raising=False)
        one.config.write_text(
            one.config.read_text()
            + '[[accounts]]\nname = "absent"\nsecret = "env:ABSENT"\n'
            + '[[accounts]]\nname = "wrong"\nsecret = "env:WRONG"\n'
            + '[[accounts]]\nname = "gone"\nkind = "provider"\nbase_url = "http://127.0.0.1:1"\n'
            + '[[accounts]]\nname = "plan"\nkind = "subscription"\nsecret = "env:PLAN"\n'
        )
        found = await examined(one.config)
        assert found["account absent", "credential"].verdict == "FAIL"
        assert found["account wrong", "auth"].verdict == "FAIL"
        assert found["account gone", "origin"].verdict == "FAIL"
        assert "asked nothing" in found["account plan", "credential"].said


async def test_skipping_what_is_live_asks_nobody(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch, CONSOLE) as one:
        entry = '[[accounts]]\nname = "gone"\nkind = "provider"\nbase_url = "http://127.0.0.1:1"\n'
        one.config.write_text(one.config.read_text() + entry)
        found = await examined(one.config, live=False)
        assert {gate for about, gate in found if about == "account gone"} == {"credential"}


async def test_no_account_is_a_failed_gate(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one:
        assert (await examined(one.config))["config", "accounts"].todo == "maxpool login NAME"


async def test_a_running_server_tells_its_pool_surfaces_and_notices(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one, rig() as it:
        await it.admin("POST", "/pause")
        answered = {"/v1/messages": 400, "/v1/chat/completions": 401, "/v1/responses": 500}
        served = Served(url=it.url, status=await it.status(), surfaces=answered)
        found = await examined(one.config, served=served)
        assert found["server", "running"].verdict == "PASS"
        assert found["pool", "serves"].verdict == "FAIL"
        verdicts = [found["server", path].verdict for path in answered]
        assert verdicts == ["PASS", "WARN", "FAIL"]
        assert found["pool", "warmth"].verdict == "PASS"


async def test_a_client_that_goes_elsewhere_is_told_how_to_come_here(tmp_path, monkeypatch):
    async with world(tmp_path, monkeypatch) as one:
        (tmp_path / ".claude").mkdir()
        gate = (await examined(one.config))["Claude Code", "client"]
        assert (gate.verdict, gate.todo) == ("WARN", "maxpool doctor --patch claude-code")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://localhost:0")
        assert (await examined(one.config))["Claude Code", "client"].verdict == "PASS"


def test_the_summary_counts_what_does_not_pass():
    assert summary([]) == "0 gates: all is well."

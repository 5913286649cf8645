from __future__ import annotations

import json

import pytest

from tests.cli.operate import run, say
from tests.rig import rig


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home in which each client lives, and a config without accounts."""
    for name in ("ANTHROPIC_BASE_URL", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "OPENCODE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "none.toml").write_text("")
    return tmp_path


async def test_all_gates_are_shown_with_what_to_do(home):
    async with rig() as it:
        shown = await run(it, home, "doctor")
        assert shown.exit_code == 2  # the config that this command sees has no account
        assert "/v1/messages" in shown.stdout
        assert "config, accounts: maxpool login NAME" in shown.stdout


async def test_the_brief_has_one_line_per_gate_that_does_not_pass_and_a_summary(home):
    async with rig() as it:
        lines = (await run(it, home, "doctor", "--brief")).stdout.splitlines()
        assert lines[-1].endswith("failed.") or "to look at" in lines[-1]
        assert all(line.startswith(("FAIL ", "WARN ")) for line in lines[:-1])


async def test_json_tells_the_same(home):
    async with rig() as it:
        found = json.loads((await run(it, home, "doctor", "--json")).stdout)
        assert found["verdict"] == "FAIL"
        assert {"about", "gate", "verdict", "said", "todo"} == set(found["gates"][0])


def test_without_a_server_the_rest_is_examined(home):
    shown = say(home, "doctor", "--brief", "--skip-live")
    assert shown.exit_code == 2
    assert "no server runs -> maxpool serve" in shown.stdout


async def test_an_empty_request_to_each_surface_reaches_no_account(home):
    async with rig() as it:
        await run(it, home, "doctor", "--skip-live")
        assert it.asked() == []


@pytest.mark.parametrize("client", ["claude-code", "codex", "opencode"])
async def test_a_patch_is_printed_and_written_only_when_asked(client, home):
    async with rig() as it:
        printed = await run(it, home, "doctor", "--patch", client)
        assert printed.exit_code == 0, printed.stderr
        assert it.url in printed.stdout
        assert not list(home.glob(".c*/*.json")) + list(home.glob(".codex/*"))
        written = await run(it, home, "doctor", "--patch", client, "--write")
        assert f"goes to {it.url} now" in written.stdout
        again = await run(it, home, "doctor", "--patch", client, "--write")
        assert f"goes to {it.url} already" in again.stdout


async def test_opencode_is_given_the_models_that_everybody_may_ask_for(home):
    async with rig() as it:
        shown = await run(it, home, "doctor", "--patch", "opencode", "--json")
        config = json.loads(shown.stdout)["config"]
        assert "claude-sonnet-5-5" in config["provider"]["maxpool"]["models"]


def test_nothing_is_written_while_nobody_would_answer(home):
    refused = say(home, "doctor", "--patch", "codex", "--write")
    assert refused.exit_code == 1
    assert "maxpool serve" in refused.stderr
    anyway = say(home, "doctor", "--patch", "codex", "--write", "--anyway")
    assert anyway.exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [("--write",), ("--model", "x"), ("--own-login",), ("--patch", "codex", "--own-login")],
)
def test_options_that_mean_nothing_together_are_refused(arguments, home):
    assert say(home, "doctor", *arguments).exit_code == 2

"""`maxpool explain` against a real proxy."""

from __future__ import annotations

import json

import pytest

from tests.cli.operate import run, say
from tests.rig import MODEL, rig

SESSION = {"x-claude-code-session-id": "session-1"}


async def test_without_arguments_it_is_the_last_message(tmp_path):
    async with rig() as it:
        none = await run(it, tmp_path, "explain")
        assert none.exit_code == 1
        assert "--model" in none.stderr.splitlines()[-1]
        await it.post(headers=SESSION)
        await it.post(path="/v1/messages/count_tokens")
        result = await run(it, tmp_path, "explain")
        assert result.exit_code == 0
        assert result.stdout.startswith("a was chosen: no other account of its rank (priority")
        assert "session session-1" in result.stdout


async def test_a_request_is_named_by_its_id(tmp_path):
    async with rig() as it:
        first = (await it.post()).fields["x-request-id"]
        await it.post()
        told = json.loads((await run(it, tmp_path, "explain", first, "--json")).stdout)
        assert told["request_id"] == first
        wrong = await run(it, tmp_path, "explain", "nothing/known")
        assert (wrong.exit_code, wrong.stdout) == (1, "")


async def test_what_would_happen_now_is_shown_and_nothing_is_sent(tmp_path):
    async with rig() as it:
        await it.admin("POST", "/accounts/b/disable")
        result = await run(it, tmp_path, "explain", "--model", MODEL, "--tokens", "5000")
        assert result.exit_code == 0
        assert result.stdout.startswith("a would be chosen:")
        assert "CANNOT SERVE" in result.stdout
        assert not it.asked()
        for name in "ac":
            await it.admin("POST", f"/accounts/{name}/disable")
        nobody = await run(it, tmp_path, "explain", "--model", MODEL)
        assert nobody.exit_code == 4
        assert nobody.stdout.startswith("It would be refused: no account can serve this now")


@pytest.mark.parametrize(
    "arguments", [["x", "--model", "m"], ["--session", "s"], ["--tokens", "5"], ["--tokens", "-1"]]
)
def test_wrong_usage_ends_with_2(tmp_path, arguments):
    assert say(tmp_path, "explain", *arguments).exit_code == 2

from __future__ import annotations

from tests.cli.operate import run
from tests.rig import rig

SESSION = {"x-claude-code-session-id": "5f2c-9-x"}


async def test_sessions_are_listed_and_moved_by_their_beginning(tmp_path):
    async with rig() as it:
        assert "No session" in (await run(it, tmp_path, "sessions")).stdout
        await it.post(headers=SESSION)
        assert "5f2c-9-x" in (await run(it, tmp_path, "sessions")).stdout
        moved = await run(it, tmp_path, "sessions", "move", "5f2c", "b")
        assert moved.stdout.strip() == "5f2c-9-x goes to b from its next turn on."
        listed = (await run(it, tmp_path, "sessions", "list", "--limit", "1")).stdout
        assert listed.splitlines()[3].split()[1] == "b"


async def test_an_unknown_session_is_said(tmp_path):
    async with rig() as it:
        result = await run(it, tmp_path, "sessions", "move", "a/b", "b")
        assert result.exit_code == 1
        assert "There is no session 'a/b'" in result.stderr

from __future__ import annotations

import asyncio

import pytest
from click.testing import CliRunner

from maxpool.cli.group import maxpool
from maxpool.cli.top import Keys, screen
from maxpool.errors import MaxpoolError
from tests.cli.operate import tell
from tests.cli.terminals import typing, typing_program
from tests.cli.test_top_app import text, until
from tests.rig import rig


def at(folder, monkeypatch):
    for name in ("MAXPOOL_KEY", "MAXPOOL_ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MAXPOOL_HOME", str(folder))
    monkeypatch.setenv("MAXPOOL_CONFIG", str(folder / "none.toml"))


async def test_a_key_changes_the_running_pool_and_the_screen_shows_it(tmp_path, monkeypatch):
    at(tmp_path, monkeypatch)
    async with rig() as it:
        tell(tmp_path, it.url)
        app = await asyncio.to_thread(screen, None, None)
        async with app.run_test(notifications=True) as pilot:
            await until(pilot, app, "3 of 3 accounts ready")
            await pilot.press("d")
            await until(pilot, app, "2 of 2 accounts ready")
            await pilot.press("P")
            await until(pilot, app, "paused by hand")
            await it.server.stop(0.0)
            await until(pilot, app, "No answer")
            assert "Last seen" in text(app)


async def test_every_key_says_what_was_done(tmp_path, monkeypatch):
    at(tmp_path, monkeypatch)
    keys = Keys(url=None, config_file=None)
    async with rig() as it:
        tell(tmp_path, it.url)
        account = it.proxy.pool.view(0.0).accounts[1].account.id
        for action in ("disable", "enable", "prefer", "reset"):
            assert "b" in await asyncio.to_thread(keys.account, action, account)
        with pytest.raises(
            MaxpoolError, match="cannot be asked"
        ):  # an API key has no such endpoint
            await asyncio.to_thread(keys.account, "probe", account)
        for action in ("pause", "resume", "automatic"):
            assert await asyncio.to_thread(keys.pool, action)


def test_without_a_server_it_ends_with_3_before_it_takes_the_terminal(tmp_path):
    env = {"MAXPOOL_HOME": str(tmp_path), "MAXPOOL_CONFIG": str(tmp_path / "c.toml")}
    with typing("top", "--url", "http://127.0.0.1:1", env=env, cwd=tmp_path) as it:
        assert it.end() == 3
    assert "Start it with: maxpool serve" in it.seen


def test_a_pipe_is_told_what_to_use_instead():
    done = CliRunner().invoke(maxpool, ["top"])
    assert done.exit_code == 1
    assert "maxpool status --watch 2" in done.stderr


def test_without_textual_the_command_that_installs_it_is_said(tmp_path):
    code = (
        "import sys; sys.modules['textual'] = None; sys.modules['textual.app'] = None; "
        "from maxpool.cli.group import run; sys.exit(run(['top']))"
    )
    env = {"MAXPOOL_HOME": str(tmp_path), "MAXPOOL_CONFIG": str(tmp_path / "c.toml")}
    with typing_program(code, env=env, cwd=tmp_path) as it:
        assert it.end() == 1
    assert "pip install 'maxpool[tui]'" in it.seen

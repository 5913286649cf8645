import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from maxpool.cli.group import maxpool
from maxpool.cli.serve import announced, greeting
from maxpool.config.load import Loaded, load
from maxpool.errors import BindError

URL = "http://127.0.0.1:4000"
ACCOUNTS = "[[accounts]]\nname = 'a'\nsecret = 'env:A'\n[[accounts]]\nname = 'b'\nsecret = 'env:B'\nenabled = false\n"


@pytest.fixture
def config(tmp_path, monkeypatch):
    path = tmp_path / "config.toml"
    path.write_text(ACCOUNTS)
    monkeypatch.setenv("MAXPOOL_CONFIG", str(path))
    monkeypatch.setenv("MAXPOOL_HOME", str(tmp_path / "state"))
    return path


def test_the_greeting_says_where_for_whom_and_how_to_get_there(config):
    text = "\n".join(greeting(load(config), config, URL))
    assert f"listens on {URL}" in text
    assert "2 accounts: a (api_key), b (api_key, disabled)" in text
    assert "ANTHROPIC_BASE_URL" in text
    assert "within 30 s" in text


def test_without_an_account_the_greeting_says_where_to_add_one(tmp_path):
    path = tmp_path / "empty.toml"
    path.write_text("")
    said = "\n".join(greeting(load(path), path, URL))
    assert f"`maxpool login NAME` adds one, or write it to {path}" in said


def test_what_the_server_says_later_is_printed_as_it_is(config, capsys):
    announced(load(config), config, "A notice.")
    assert capsys.readouterr().out == "A notice.\n"


def test_words_that_nobody_can_hear_are_not_said_twice(config, monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        announced(load(config), config, "A notice.")
        announced(load(config), config, "Another.")


def test_the_command_line_reaches_the_server(config, monkeypatch):
    seen: list[Loaded] = []

    async def run(loaded: Loaded, *, announce, confirm, offer):
        seen.append(loaded)
        announce(URL)
        return 0

    monkeypatch.setitem(sys.modules, "maxpool.app.run", SimpleNamespace(run=run))
    result = CliRunner().invoke(
        maxpool, ["serve", "--port", "0", "--host", "::1", "--log-level", "debug"]
    )
    assert result.exit_code == 0
    assert f"listens on {URL}" in result.stdout
    server, logging = seen[0].config.server, seen[0].config.logging
    assert (server.port, server.host, logging.level) == (0, "::1", "debug")


def test_an_address_that_is_taken_ends_with_words(config, monkeypatch):
    async def run(loaded: Loaded, *, announce, confirm, offer):
        raise BindError("port 3456 is taken", "Name another with --port")

    monkeypatch.setitem(sys.modules, "maxpool.app.run", SimpleNamespace(run=run))
    result = CliRunner().invoke(maxpool, ["serve"])
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Name another with --port"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_0(number, config, tmp_path):
    code = "import sys; from maxpool.cli.group import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "serve", "--port", "0", "--config", str(config)]
    env = {**os.environ, "MAXPOOL_HOME": str(tmp_path / "state")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env
    ) as process:
        assert process.stdout is not None
        assert "listens on http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(number)
        assert process.wait(10) == 0


def test_a_broken_config_ends_with_2_before_anything_starts(config):
    Path(config).write_text("[server]\nprot = 1\n")
    result = CliRunner().invoke(maxpool, ["serve"])
    assert result.exit_code == 2
    assert "did you mean port?" in result.stderr


def test_an_old_config_is_brought_up_to_date_before_it_is_read(config, monkeypatch):
    monkeypatch.setattr("maxpool.app.upgrade.upgrade", lambda path: path.with_suffix(".old"))
    monkeypatch.setattr("maxpool.cli.loop.run", lambda coroutine: coroutine.close() or 0)
    found = CliRunner().invoke(maxpool, ["serve"])
    assert f"the old text is in {config.with_suffix('.old')}" in found.stderr

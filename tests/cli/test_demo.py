import socket
import sys
import types
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from click.testing import CliRunner

from maxpool.cli import demo, demo_view
from maxpool.cli.group import maxpool
from maxpool.errors import BindError
from tests.cli.stub import Worlds, account, picture, serving


@pytest.fixture
def worlds(monkeypatch):
    with serving(picture(account("a"))) as stub:
        found = Worlds(stub.url)
        module = types.ModuleType("maxpool.app.demo")
        module.demo_world = found  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "maxpool.app.demo", module)
        yield found


def test_one_picture_is_printed_and_the_demo_ends(worlds):
    result = CliRunner().invoke(maxpool, ["demo", "--once", "--no-traffic", "--port", "0"])
    assert result.exit_code == 0, result.output
    assert "1 of 1 accounts ready" in result.stdout
    assert worlds.closed


def test_the_options_reach_the_world(worlds):
    CliRunner().invoke(
        maxpool, ["demo", "--once", "--port", "7", "--minutes", "2", "--speed", "3", "--no-traffic"]
    )
    assert worlds.asked == {
        "port": 7,
        "minutes": 2.0,
        "speed": 3.0,
        "traffic": False,
        "scenario": None,
    }


def test_a_scenario_has_a_window_of_its_own_and_tells_what_happens(worlds, monkeypatch):
    monkeypatch.setattr(demo_view, "STORY_EVERY_S", 0.05)
    result = CliRunner().invoke(
        maxpool, ["demo", "--port", "0", "--scenario", "takeover", "--duration", "0.3"]
    )
    assert (worlds.asked["scenario"], worlds.asked["minutes"]) == ("takeover", 1.0)
    assert result.stdout.count(">> The Claude accounts serve: a.") == 1


def test_a_usual_port_that_is_taken_is_told_and_another_is_used(worlds, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(demo, "PREFERRED_PORT", port)
        result = CliRunner().invoke(maxpool, ["demo", "--once", "--no-traffic"])
    assert worlds.asked["port"] == 0
    using = worlds.url.rpartition(":")[2]
    assert result.stdout.splitlines()[0] == f"Port {port} is taken, using {using}."


def test_a_usual_port_that_is_free_is_used_without_a_word(worlds, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setattr(demo, "PREFERRED_PORT", port)
    result = CliRunner().invoke(maxpool, ["demo", "--once", "--no-traffic"])
    assert worlds.asked["port"] == port
    assert "taken" not in result.stdout


def test_a_chosen_port_that_is_taken_ends_with_words_and_1(monkeypatch):
    @asynccontextmanager
    async def demo_world(**_: object) -> AsyncIterator[None]:
        raise BindError("port 7 on 127.0.0.1 is taken", "Choose another with --port")
        yield

    monkeypatch.setitem(
        sys.modules, "maxpool.app.demo", types.SimpleNamespace(demo_world=demo_world)
    )
    result = CliRunner().invoke(maxpool, ["demo", "--port", "7"])
    assert result.exit_code == 1
    assert result.stderr == ("Error: port 7 on 127.0.0.1 is taken\nChoose another with --port\n")
    assert "ended" not in result.stdout


def test_without_a_terminal_it_prints_one_line_at_a_time_until_its_time_is_up(worlds, monkeypatch):
    monkeypatch.setattr(demo_view, "PLAIN_EVERY_S", 0.05)
    result = CliRunner().invoke(maxpool, ["demo", "--port", "0", "--duration", "0.5"])
    lines = [line for line in result.stdout.splitlines() if line.startswith("1 of 1")]
    assert len(lines) >= 2
    assert "requests/s" in lines[-1]
    assert worlds.closed


def test_one_picture_shows_a_pool_that_has_worked(monkeypatch):
    monkeypatch.setattr("maxpool.cli.demo.ONCE_AFTER_S", 0.1)
    result = CliRunner().invoke(maxpool, ["demo", "--once", "--port", "0"])
    assert result.exit_code == 0
    assert "ACCOUNT" in result.output


def test_a_config_for_trying_logins_is_written_for_the_upstream_that_runs(worlds, tmp_path):
    path = tmp_path / "demo.toml"
    arguments = ["demo", "--once", "--no-traffic", "--port", "0", "--sign-in", str(path)]
    first = CliRunner().invoke(maxpool, arguments)
    assert "http://127.0.0.1:2/oauth/authorize" in path.read_text()
    assert f"export MAXPOOL_CONFIG={path}" in first.stdout
    assert CliRunner().invoke(maxpool, arguments).exit_code == 0  # a demo's own file is replaced


def test_no_file_of_somebody_else_is_replaced_by_a_demo_s_config(worlds, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("[server]\n")
    result = CliRunner().invoke(maxpool, ["demo", "--once", "--sign-in", str(path)])
    assert result.exit_code == 1
    assert "no demo wrote it" in result.stderr
    assert path.read_text() == "[server]\n"

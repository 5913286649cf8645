import sys
import types

import pytest
from click.testing import CliRunner

from maxpool.cli import demo_view
from maxpool.cli.group import maxpool
from tests.cli.stub import Worlds, account, picture, serving


@pytest.fixture
def worlds(monkeypatch):
    with serving(picture(account("a"))) as stub:
        found = Worlds(stub.url)
        module = types.ModuleType("maxpool.app")
        module.demo_world = found  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "maxpool.app", module)
        yield found


def test_one_picture_is_printed_and_the_demo_ends(worlds):
    result = CliRunner().invoke(maxpool, ["demo", "--once", "--port", "0"])
    assert result.exit_code == 0, result.output
    assert "1 of 1 accounts ready" in result.stdout
    assert worlds.closed


def test_the_options_reach_the_world(worlds):
    CliRunner().invoke(
        maxpool, ["demo", "--once", "--port", "7", "--minutes", "2", "--speed", "3", "--no-traffic"]
    )
    assert worlds.asked == {"port": 7, "minutes": 2.0, "speed": 3.0, "traffic": False}


def test_without_a_terminal_it_prints_one_line_at_a_time_until_its_time_is_up(worlds, monkeypatch):
    monkeypatch.setattr(demo_view, "PLAIN_EVERY_S", 0.05)
    result = CliRunner().invoke(maxpool, ["demo", "--port", "0", "--duration", "0.5"])
    lines = [line for line in result.stdout.splitlines() if line.startswith("1 of 1")]
    assert len(lines) >= 2
    assert "requests/s" in lines[-1]
    assert worlds.closed

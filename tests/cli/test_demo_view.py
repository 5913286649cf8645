import asyncio
import json
import os
import signal
import sys
from dataclasses import replace
from io import StringIO

import pytest

from maxpool.cli import demo_view
from tests.cli.stub import NOW, Fake, Worlds, account, picture, serving
from tests.rig import until

PLAN = demo_view.Plan(duration_s=None, once=False, minutes=3.0)


@pytest.fixture
def worlds():
    with serving(picture(account("a"))) as stub:
        yield Worlds(stub.url)


def test_the_introduction_says_what_to_look_at_and_what_to_try():
    text = "\n".join(demo_view.introduction(Fake("http://127.0.0.1:3456", client_key="k1"), PLAN))
    for words in ("http://127.0.0.1:1/", "http://127.0.0.1:2", "ANTHROPIC_BASE_URL", "Ctrl-C"):
        assert words in text
    curl = next(line for line in text.splitlines() if "curl" in line)
    assert "-H 'x-maxpool-key: k1'" in curl
    assert json.loads(curl.split(" -d '")[1].rstrip("'"))["stream"] is True


def test_the_introduction_says_what_differs_from_real_accounts():
    text = "\n".join(demo_view.introduction(Fake("http://127.0.0.1:3456"), PLAN))
    assert "5h means 3 minutes (--minutes)" in text
    assert "real ones serve Claude Code only" in text
    one = "\n".join(demo_view.introduction(Fake("http://x:1"), replace(PLAN, minutes=1.0)))
    assert "5h means 1 minute (" in one


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_at_once_and_cleanly(number, worlds, capsys):
    running = asyncio.ensure_future(demo_view.show(worlds(), PLAN))
    await until(lambda: "1 of 1" in capsys.readouterr().out)
    os.kill(os.getpid(), number)
    await asyncio.wait_for(running, demo_view.PLAIN_EVERY_S - 1)  # before the next line is due
    assert worlds.closed


async def test_a_terminal_gets_a_live_table(monkeypatch, capsys):
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(demo_view, "LIVE_EVERY_S", 0.02)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with serving(picture(account("a"))) as stub:
        running = asyncio.ensure_future(demo_view.show(Worlds(stub.url)(), PLAN))
        await until(lambda: len(stub.asked) > 2)
        running.cancel()
        await asyncio.wait({running})
    assert "\u2588" in terminal.getvalue()


def test_speed_is_taken_over_the_last_pictures():
    speed = demo_view.Speed()
    pictures = [{**picture(), "now": NOW + i, "totals": {"requests": 5 * i}} for i in range(30)]
    assert speed.after(pictures[0]) == 0.0
    assert [speed.after(p) for p in pictures[1:]][-1] == 5.0

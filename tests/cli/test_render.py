from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from maxpool.cli import render
from tests.cli.stub import NOW, account, picture, window

COOLING = account("cool", "cooling", unavailable={"reason": "rate_limited", "until": NOW + 90})


@pytest.mark.parametrize(
    ("share", "bar"),
    [
        (None, "-----"),
        (0, "-----"),
        (0.01, "#----"),
        (0.5, "##---"),
        (0.99, "####-"),
        (1.04, "#####"),
    ],
)
def test_a_bar_shows_any_use_and_is_full_only_when_the_window_is(share, bar):
    assert render.bar(share, 5) == bar


def test_the_verdict_comes_first():
    assert render.plain(picture(account("a")))[0] == "1 of 1 accounts ready"


def test_each_account_has_its_line_with_quota_and_resets():
    line = render.plain(picture(account("a")))[-1]
    assert line.split() == [
        "a",
        "ready",
        "######----",
        "57",
        "%",
        "2",
        "h",
        "24",
        "min",
        "##--------",
        "23",
        "%",
        "3",
        "d",
        "3/50",
        "4",
    ]


def test_an_account_that_cannot_serve_says_why_and_for_how_long():
    assert render.plain(picture(COOLING))[-1].endswith("rate limited, for 2 min")


def test_an_account_that_cannot_serve_one_model_says_which():
    bench = {"claude-x": {"reason": "model_cooling", "until": NOW + 10}}
    assert (
        render.rows(picture(account("a", models=bench)))[0].why
        == "claude-x: model cooling, for 10 s"
    )


def test_our_own_estimate_is_shown_before_the_last_reading():
    estimated = {**window("5h", 0.5, 60), "estimated": 0.6}
    assert render.rows(picture(account("a", windows=[estimated])))[0].five_hours.used == 0.6


def test_a_window_nobody_has_told_of_is_a_question_mark():
    assert "?" in render.plain(picture(account("a", windows=[])))[-1]


def test_a_broken_config_a_queue_and_a_throttle_are_said_under_the_verdict():
    status = picture(
        account("a"),
        throttle={"open": [{"scope": "claude-x", "until": NOW + 30}]},
        notices=["no key"],
    )
    status["config"]["error"] = "c.toml:3: unknown key"
    status["summary"]["queued"] = 2
    notes = "\n".join(render.plain(status)[1:5])
    for words in ("no key", "c.toml:3", "2 requests waiting", "for claude-x, for 30 s"):
        assert words in notes


def test_a_pool_can_serve_when_one_account_is_ready():
    assert render.can_serve(picture(account("a"), COOLING))
    assert not render.can_serve(picture(COOLING))
    assert not render.can_serve(picture())
    assert render.can_serve({"accounts": [{"state": "busy"}]})


def test_a_picture_with_missing_fields_can_still_be_shown():
    assert render.plain({}) == ["no verdict"]
    assert render.one_line({}) == "no verdict | 0 sessions"
    assert len(render.rows({"accounts": [{}]})) == 1


def test_one_line_holds_the_whole_pool():
    line = render.one_line(picture(account("a"), COOLING), 2.5)
    assert (
        line == "1 of 2 accounts ready | 2.5 requests/s | 7 sessions | a 57 % | cool 57 % cooling"
    )


def test_speed_is_counted_between_two_pictures():
    later = {**picture(), "now": NOW + 10, "totals": {"requests": 125}}
    assert render.requests_per_s(picture(), later) == 2.5
    assert render.requests_per_s(later, later) == 0.0
    assert render.requests_per_s(later, {**picture(), "now": NOW + 20}) == 0.0


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_gets_the_same_facts_as_a_pipe(width):
    full = account("full", "benched", windows=[window("5h", 1.0, 60), window("7d", 0.9, None)])
    unknown = account("unknown", windows=[])
    console = Console(width=width, record=True, file=StringIO(), force_terminal=True)
    status = picture(account("a"), COOLING, full, unknown, notices=["no key"])
    console.print(render.renderable(status, width=width, per_s=2.5))
    text = console.export_text()
    words = text.split()
    for word in ("ready", "cooling", "57", "100", "?", "benched"):
        assert word in words
    assert "2.5 requests/s" in text
    assert "no key" in text


KEY = account("console", kind="api_key", windows=[], slots=500)
BUCKETS = [
    {"name": "requests", "limit": 100, "remaining": 90, "reset_at": None},
    {"name": "tokens", "limit": 100, "remaining": 20, "reset_at": NOW + 9},
    {"name": "past", "limit": 100, "remaining": 0, "reset_at": NOW - 9},
]


def fancy(status: dict[str, Any], width: int) -> str:
    console = Console(width=width, record=True, file=StringIO())
    console.print(render.renderable(status, width=width))
    return console.export_text()


def test_an_account_without_windows_of_its_kind_shows_none():
    assert render.plain(picture(KEY))[-1].split() == ["console", "ready", "-", "-", "3/500", "4"]
    assert "console -" in render.one_line(picture(KEY))
    assert "?" not in fancy(picture(KEY), 80)


def test_the_most_used_bucket_stands_where_windows_are_missing():
    status = picture({**KEY, "buckets": BUCKETS})
    assert "tokens 80 %" in render.plain(status)[-1]
    assert "tokens 80 %" in fancy(status, 80)
    named = [{**BUCKETS[1], "name": "some-very-long-name"}]
    assert "some-very" not in fancy(picture({**KEY, "buckets": named}), 80)


def test_the_detail_of_a_reason_follows_it_cut_to_the_width():
    block = {"reason": "locked_out", "until": None, "detail": "the upstream refused it " + "x" * 90}
    status = picture(account("dead", "locked_out", unavailable=block))
    assert "locked out: the upstream refused it xxx" in render.plain(status)[-1]
    for text in (fancy(status, 80), "\n".join(render.plain(status, 80))):
        (line,) = [line for line in text.splitlines() if "refused" in line]
        assert line.rstrip().endswith("...")
    missing = {"reason": "locked_out", "until": None, "detail": None}
    assert render.rows(picture(account("d", unavailable=missing)))[0].why == "locked out"


def test_a_broken_config_is_said_once_whatever_the_notices_hold():
    status = picture(account("a"), notices=["The config is wrong: c.toml:3: no", "other"])
    status["config"]["error"] = "c.toml:3: no"
    text = "\n".join(render.notes(status))
    assert text.count("c.toml:3") == 1
    assert "other" in text


def test_one_of_a_thing_is_told_in_the_singular():
    status = picture(account("a"), sessions={"bound": 1})
    status["summary"]["queued"] = 1
    assert "| 1 session |" in render.one_line(status)
    assert "1 request waiting" in "\n".join(render.plain(status))


@pytest.mark.parametrize("width", [80, 100, 116, 120])
def test_in_a_terminal_no_line_of_the_table_wraps_or_loses_its_heading(width):
    long = account(
        "a-very-long-account-name-indeed",
        "locked_out",
        unavailable={"reason": "locked_out", "until": None},
        windows=[window("5h", 1.0, 86_000), window("7d", 0.99, 600_000)],
    )
    status = picture(long, KEY)
    for text in (fancy(status, width), "\n".join(render.plain(status, width))):
        (head,) = [line for line in text.splitlines() if "ACCOUNT" in line]
        assert head.split()[:8] == ["ACCOUNT", "STATE", "5", "HOURS", "7", "DAYS", "IN", "FLIGHT"]
        assert max(map(len, text.splitlines())) <= width
        assert "locked_out" in text


@pytest.mark.parametrize("width", [40, 60])
def test_a_narrow_terminal_gets_two_lines_for_each_account(width):
    status = picture(account("max-1"), COOLING)
    for text in (fancy(status, width), "\n".join(render.plain(status, width))):
        lines = [line.rstrip() for line in text.splitlines()]
        at = next(number for number, line in enumerate(lines) if line.startswith("max-1"))
        assert "5h" in lines[at + 1]
        assert "57 % 2 h 24 min" in lines[at + 1]
        assert lines[-1].strip() == "rate limited, for 2 min"
        assert max(map(len, lines)) <= width


def test_a_number_stays_on_the_line_of_its_percent_sign():
    status = picture(account("a"))
    status["summary"]["verdict"] = "49 % of 5-hour capacity free"
    assert render.plain(status, 80)[0].startswith("49\N{NO-BREAK SPACE}%")
    assert render.plain(status)[0].startswith("49 %")


def test_nothing_from_a_request_reaches_the_terminal_as_a_command():
    bench = {"\x1b[2J[red]x": {"reason": "model_cooling", "until": None}}
    status = picture(account("a", models=bench))
    assert "\x1b" not in "\n".join(render.plain(status))
    console = Console(width=120, record=True, file=StringIO())
    console.print(render.renderable(status))
    assert "?[2J[red]x: model cooling" in console.export_text()

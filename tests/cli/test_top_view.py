from __future__ import annotations

import pytest

from maxpool.cli import top_view
from maxpool.cli.top_board import Board
from tests.cli.stub import NOW, account, picture, window
from tests.cli.test_top_board import board, request


def full(name, used, resets_in_s, length_s):
    return {**window(name, used, resets_in_s), "length_s": length_s}


def lines(text):
    return text.plain.splitlines()


@pytest.mark.parametrize("width", [34, 40, 56, 76, 100, 160])
def test_a_card_and_its_head_fit_the_width(width):
    windows = [full("5h", 0.5, 8640, 18000), full("7d", 1.2, 6.9 * 86400, 7 * 86400)]
    one = account("a-very-long-name-of-an-account", "locked_out", windows=windows, slots=5000)
    found = [*lines(top_view.card(one, NOW, width)), *lines(top_view.card_head(width))]
    assert max(map(len, found)) <= width


def test_the_head_stands_over_its_columns():
    one = account("a", windows=[full("5h", 0.5, 8640, 18000), full("7d", 0.5, 8640, 18000)])
    head, card = (t.plain for t in (top_view.card_head(100), top_view.card(one, NOW, 100)))
    for title in ("5 HOURS", "7 DAYS"):
        assert card[head.index(title)] in (top_view.FULL, top_view.EMPTY)
    assert card[: head.index("FLIGHT") + len("FLIGHT")].endswith("3/50")


def test_the_bar_has_a_mark_where_an_even_pace_would_be():
    one = account("a", windows=[full("5h", 0.9, 9000, 18000)])
    assert top_view.even_pace(one["windows"][0], NOW) == 0.5
    bar = top_view.card(one, NOW, 100).plain.split("5h")[-1]
    found = bar[bar.index(top_view.FULL) :].split()[0]
    assert found.index(top_view.TICK) == len(found) // 2


def test_a_window_whose_reset_has_passed_has_no_even_pace():
    assert top_view.even_pace(full("5h", 0.9, -1, 18000), NOW) is None
    assert top_view.even_pace(window("5h", 0.9, 60), NOW) is None


def test_what_keeps_an_account_from_serving_stands_under_it():
    closed = account("a", "cooling", unavailable={"reason": "cooling_down", "until": NOW + 90})
    assert lines(top_view.card(closed, NOW, 100))[1].strip() == "cooling down, for 2 min"


def test_the_heading_says_the_verdict_or_that_nobody_answers():
    found = Board()
    found.hear("status", picture(account("a"), notices=["mind this"]))
    assert lines(top_view.heading(found, NOW, 2.0, None)) == [
        "1 of 1 accounts ready",
        "3 in flight · 2.0 requests/s · 7 sessions",
        "! mind this",
    ]
    lost = lines(top_view.heading(found, NOW + 5, 2.0, "it went away"))
    assert lost[0] == "No answer: it went away. Trying again every second."
    assert lost[1] == "Last seen 5 s ago: 1 of 1 accounts ready"


def test_requests_give_way_from_the_session_to_the_model():
    long = request(1, model="m" * 40, session="s" * 60, account="a-a", status=200)
    found = board(account("a"), requests=[long])
    shown = lines(top_view.requests(found, NOW, 60, ""))
    assert max(map(len, shown)) <= 60
    assert shown[1].endswith("sssssss…")
    assert "  a  " in shown[1]


def test_a_running_request_says_for_how_long():
    running = request(1, ended_at=None, account="a-a")
    found = board(account("a"), requests=[running])
    assert "running  3.0 s" in top_view.requests(found, NOW + 4, 100, "").plain


def test_a_name_from_a_request_cannot_steer_the_terminal():
    found = board(account("a"), requests=[request(1, model="\x1b[2Jm")])
    assert "\x1b" not in top_view.requests(found, NOW, 100, "").plain


def test_empty_lists_say_so():
    found = board()
    assert top_view.requests(found, NOW, 80, "").plain == "No request yet."
    assert top_view.requests(found, NOW, 80, "x").plain == "No request holds 'x'."
    assert top_view.queue(found, NOW, 80, "").plain == "Nobody waits."
    assert "No session" in top_view.sessions(found, NOW, 80, "").plain
    assert "no requests live" in top_view.requests(Board(), NOW, 80, "").plain


def test_sessions_and_the_queue_count_on_from_what_was_told():
    session = {"session": "s-1", "account": "a-a", "turns": 2, "moves": 0, "since": NOW - 60}
    waiter = {
        "position": 1,
        "class": "m",
        "waiting_s": 5.0,
        "cause": "at_limit",
        "expected_at": None,
    }
    found = board(account("a"), sessions={"bound": 1, "list": [session]}, queue=[waiter])
    assert lines(top_view.sessions(found, NOW, 80, ""))[1].split() == [
        "s-1",
        "a",
        "2",
        "0",
        "1",
        "min",
    ]
    assert lines(top_view.queue(found, NOW, 80, ""))[1].split() == [
        "1",
        "m",
        "5",
        "s",
        "at",
        "limit",
        "?",
    ]


def test_the_details_tell_the_windows_and_the_last_error():
    one = account(
        "a",
        windows=[{**full("5h", 0.5, 9000, 18000), "burn_per_hour": 0.2, "exhausts_at": NOW + 3600}],
        last_error={"class": "rate_limited", "at": NOW - 60, "message": "slow down"},
        last_hour={"requests": 4, "failed": 1, "tokens_in": 12_345, "p50_ms": 1500.0},
        credential={"expires_at": NOW + 7200, "grant_expires_at": None},
        probe={"last_at": NOW - 30, "last_result": "ok"},
    )
    text = top_view.details(one, NOW, 80).plain
    for said in ("20.0 % an hour, dry in 1 h", "rate limited, 1 min ago", "slow down", "12k in"):
        assert said in text
    for said in ("in 2 h", "30 s ago: ok", "4 requests, 1 failed", "1.5 s"):
        assert said in text

from __future__ import annotations

from maxpool.cli.top_board import MAX_REQUESTS, Board, holds, used
from tests.cli.stub import NOW, account, picture


def hello(*accounts, **keys):
    found = picture(*accounts)
    summary = {"summary": found.pop("summary"), "totals": found.pop("totals")}
    summary["order"] = [a["id"] for a in accounts]
    return {**found, "summary": summary, "requests": [], **keys}


def request(number: int, **keys):
    return {"id": f"r{number}", "at": NOW + number, "model": "m", "ended_at": NOW, **keys}


def board(*accounts, **keys) -> Board:
    found = Board()
    found.hear("hello", hello(*accounts, **keys))
    return found


def test_a_hello_is_the_same_picture_as_a_status_document():
    by_feed, by_status = board(account("a")), Board()
    by_status.hear("status", picture(account("a")))
    for key in ("summary", "accounts", "totals", "now"):
        assert by_feed.status(NOW)[key] == by_status.status(NOW)[key]


def test_an_account_that_changed_stands_where_it_stood_and_a_removed_one_is_gone():
    found = board(account("a"), account("b"))
    found.hear("account", account("a", "cooling"))
    assert [(a["name"], a["state"]) for a in found.ordered()] == [("a", "cooling"), ("b", "ready")]
    found.hear("account", {"id": "a-a", "removed": True})
    assert [a["name"] for a in found.ordered()] == ["b"]


def test_a_summary_and_a_config_replace_what_was_told_before():
    found = board(account("a"))
    found.hear("summary", {"summary": {"verdict": "new"}, "totals": {"requests": 9}})
    found.hear("config", {"error": None, "notices": ["mind this"]})
    status = found.status(NOW)
    assert status["summary"]["verdict"] == "new"
    assert status["notices"] == ["mind this"]


def test_running_requests_come_first_and_then_the_latest():
    found = board(account("a"), requests=[request(1), request(2), request(3, ended_at=None)])
    found.hear("request", request(4))
    assert [r["id"] for r in found.lines("")] == ["r3", "r4", "r2", "r1"]
    found.hear("request", {"id": "r4", "removed": True})
    assert len(found.lines("")) == 3


def test_requests_do_not_pile_up():
    found = board(account("a"))
    for number in range(MAX_REQUESTS + 5):
        found.hear("request", request(number))
    assert len(found.lines("")) == MAX_REQUESTS


def test_without_the_feed_there_is_no_list_of_requests():
    found = Board()
    found.hear("status", picture(account("a")))
    found.hear("request", request(1))
    assert found.requests is None


def test_all_words_of_a_filter_must_occur_somewhere():
    assert holds("MAX ready", "max-1", "ready")
    assert not holds("max cooling", "max-1", "ready", None)
    found = board(account("max-1"), account("pro", "cooling"))
    assert [a["name"] for a in found.chosen("cool", "pool")] == ["pro"]


def test_sorting_by_use_puts_the_fullest_first_and_by_state_what_does_not_serve():
    busy = account("b", windows=[{"window": "5h", "utilization": 0.9, "estimated": 0.95}])
    found = board(account("c", "cooling"), busy, account("a"))
    assert found.chosen("", "5 hours")[0]["name"] == "b"
    assert found.chosen("", "state")[0]["name"] == "c"
    assert [a["name"] for a in found.chosen("", "name")] == ["a", "b", "c"]
    assert used(busy, "5h") == 0.95
    assert used(busy, "7d") is None


def test_an_account_that_left_is_named_by_its_id():
    found = board(account("a"))
    assert (found.name_of("a-a"), found.name_of("a-gone")) == ("a", "a-gone")

"""What is told of events, to whom."""

from __future__ import annotations

import json

from maxpool.service.events import KEPT, Event, Events
from maxpool.sim.clock import HandClock


def test_everybody_who_subscribed_hears_each_event_in_order():
    events = Events(HandClock(1000.0))
    heard: list[Event] = []
    other: list[Event] = []
    events.subscribe(heard.append)
    leave = events.subscribe(other.append)
    events.tell("started")
    leave()
    leave()
    events.tell("login_dead", "a-1", "work", reason="revoked")
    assert [e.kind for e in heard] == ["started", "login_dead"]
    assert [e.kind for e in other] == ["started"]
    assert (heard[1].account, heard[1].name, heard[1].at) == ("a-1", "work", 1000.0)


def test_a_listener_that_fails_keeps_nobody_from_hearing(caplog):
    events = Events(HandClock(1000.0))
    heard: list[Event] = []

    def failing(_event: Event) -> None:
        raise OSError

    events.subscribe(failing)
    events.subscribe(heard.append)
    events.tell("stopped")
    assert len(heard) == 1
    assert "failed at the event 'stopped'" in caplog.text


def test_the_latest_are_kept_and_no_more():
    events = Events(HandClock(1000.0))
    for _ in range(KEPT + 5):
        events.tell("config_loaded")
    assert len(events.latest) == KEPT


def test_for_the_ledger_the_detail_is_json():
    row = (
        Events(HandClock(1000.0))
        .tell("account_state", "a-1", "work", now="benched", until=5.0)
        .record()
    )
    assert (row.at, row.kind, row.account) == (1000.0, "account_state", "a-1")
    assert json.loads(row.detail) == {"now": "benched", "until": 5.0}

from __future__ import annotations

import json

import pytest

from maxpool.core.alertrules import AlertRule, Seen
from maxpool.core.alerts import CALM_S, Alerts, AlertTimes, in_quiet_hours
from tests.make import NOW

RULE = AlertRule(name="r", when="window")
KEY = ("r", "a", "7d")
HOLDS, NEAR = Seen(KEY, "max-1", True, 0.95), Seen(KEY, "max-1", False, 0.88)


def told(
    alerts: Alerts,
    at: float,
    *found: Seen,
    rule: AlertRule = RULE,
    quiet: bool = False,
    **times: float,
) -> list[str]:
    changes = alerts.step([rule], found, NOW + at, times=AlertTimes(**times), quiet=quiet)
    return [change.told for change in changes]


def test_what_begins_is_told_once_and_its_end_once():
    alerts = Alerts()
    assert told(alerts, 0, HOLDS) == ["firing"]
    assert told(alerts, 15, HOLDS) == []
    assert told(alerts, 30) == []
    assert told(alerts, 30 + CALM_S) == ["resolved"]
    assert told(alerts, 200) == []
    assert not alerts.active


def test_what_comes_back_at_once_never_went_away():
    alerts = Alerts()
    told(alerts, 0, HOLDS)
    assert told(alerts, 15) == []
    assert told(alerts, 15 + CALM_S - 1, HOLDS) == []
    assert told(alerts, 15 + CALM_S) == []


def test_near_its_limit_it_neither_begins_nor_ends():
    alerts = Alerts()
    assert told(alerts, 0, NEAR) == []
    assert told(alerts, 1, HOLDS) == ["firing"]
    assert told(alerts, 10_000, NEAR) == []
    assert KEY in alerts.active


def test_what_comes_back_soon_after_its_end_waits_for_the_gap():
    alerts = Alerts()
    told(alerts, 0, HOLDS)
    told(alerts, 1)
    assert told(alerts, 1 + CALM_S) == ["resolved"]
    assert told(alerts, 100, HOLDS) == []
    assert told(alerts, 300, HOLDS) == ["firing"]


def test_it_must_hold_as_long_as_its_rule_says():
    alerts, rule = Alerts(), AlertRule(name="r", when="window", for_s=60.0)
    assert told(alerts, 0, HOLDS, rule=rule) == []
    assert told(alerts, 59, HOLDS, rule=rule) == []
    assert told(alerts, 60, HOLDS, rule=rule) == ["firing"]


def test_what_was_over_before_it_was_told_is_never_told():
    alerts, rule = Alerts(), AlertRule(name="r", when="window", for_s=60.0)
    told(alerts, 0, HOLDS, rule=rule)
    assert told(alerts, 10, rule=rule) == []
    assert told(alerts, 10 + CALM_S, rule=rule) == []
    assert not alerts.active


def test_a_reminder_comes_as_often_as_asked_for_and_by_default_never():
    alerts = Alerts()
    told(alerts, 0, HOLDS)
    assert told(alerts, 1e6, HOLDS) == []
    assert told(alerts, 1e6, HOLDS, remind_s=3600.0) == ["reminder"]
    assert told(alerts, 1e6 + 3599, HOLDS, remind_s=3600.0) == []


def test_what_gets_more_urgent_is_told_again():
    alerts = Alerts()
    assert told(alerts, 0, HOLDS._replace(level=1)) == ["firing"]
    assert told(alerts, 1, HOLDS._replace(level=2)) == ["firing"]
    assert told(alerts, 2, HOLDS._replace(level=2)) == []


def test_quiet_hours_hold_back_the_beginning_and_the_end_until_they_are_over():
    alerts = Alerts()
    assert told(alerts, 0, HOLDS, quiet=True) == []
    assert told(alerts, 100, HOLDS) == ["firing"]
    assert told(alerts, 110, quiet=True) == []
    assert told(alerts, 110 + CALM_S, quiet=True) == []
    assert told(alerts, 900) == ["resolved"]


def test_what_began_and_ended_in_quiet_hours_is_never_told():
    alerts = Alerts()
    told(alerts, 0, HOLDS, quiet=True)
    told(alerts, 10, quiet=True)
    told(alerts, 10 + CALM_S, quiet=True)
    assert told(alerts, 900) == []
    assert not alerts.active


def test_what_is_urgent_is_told_in_quiet_hours_too():
    rule = AlertRule(name="r", when="pool_dry", urgent=True)
    assert told(Alerts(), 0, HOLDS, rule=rule, quiet=True) == ["firing"]


@pytest.mark.parametrize(
    ("rule", "account", "silent"), [("*", "*", True), ("r", "max-*", True), ("r", "x", False)]
)
def test_silence_covers_the_rules_and_accounts_it_names_and_ends(rule, account, silent):
    alerts = Alerts()
    alerts.silence(rule, account, NOW + 100)
    assert told(alerts, 0, HOLDS) == ([] if silent else ["firing"])
    assert told(alerts, 101, HOLDS) == (["firing"] if silent else [])
    assert not alerts.silences


def test_a_rule_that_is_gone_takes_its_alerts_along():
    alerts = Alerts()
    told(alerts, 0, HOLDS)
    assert alerts.step([], [], NOW + 1, times=AlertTimes()) == []
    assert not alerts.active


def test_nothing_is_told_twice_over_a_restart_and_an_end_is_not_forgotten():
    alerts = Alerts()
    told(alerts, 0, HOLDS._replace(level=1))
    alerts.silence("other", "*", NOW + 1e6)
    again = Alerts.load(json.loads(json.dumps(alerts.dump())), NOW + 10)
    assert told(again, 20, HOLDS._replace(level=1)) == []
    assert told(again, 30) == []
    assert told(again, 30 + CALM_S) == ["resolved"]
    assert [s.rule for s in again.silences] == ["other"]


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"version": 2},
        {"version": 1, "rested": 3, "silences": [], "active": []},
        {"version": 1, "rested": [], "silences": [], "active": [[["x"], "n", 0, 0, 0]]},
        {"version": 1, "rested": [], "silences": [], "active": [[KEY, "n", "x", 0, 0]]},
    ],
)
def test_what_is_no_dump_is_a_value_error(broken):
    with pytest.raises(ValueError, match=r"."):
        Alerts.load(broken, NOW)


@pytest.mark.parametrize(
    ("hours", "minute", "quiet"),
    [
        (None, 0, False),
        ((22 * 60, 7 * 60), 22 * 60, True),
        ((22 * 60, 7 * 60), 0, True),
        ((22 * 60, 7 * 60), 7 * 60, False),
        ((13 * 60, 14 * 60), 13 * 60 + 59, True),
        ((13 * 60, 14 * 60), 12 * 60, False),
    ],
)
def test_quiet_hours_go_by_the_local_day_and_over_midnight(hours, minute, quiet):
    midnight = NOW - NOW % 86_400
    for offset_s in (0, 7200, -18_000):
        assert in_quiet_hours(hours, midnight + minute * 60 - offset_s, offset_s) is quiet

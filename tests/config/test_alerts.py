from __future__ import annotations

from pathlib import Path

import pytest

from maxpool.config.load import parse
from maxpool.core.alertrules import DEFAULT_RULES
from maxpool.errors import ConfigError

HERE = Path("/etc/maxpool/config.toml")
TARGET = 'targets = { phone = "ntfy://ntfy.example/t" }\n'


def alerts(text: str):
    return parse(f"[alerts]\n{text}", HERE).alerts


def wrong(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        alerts(text)
    return " ".join(f"{p.message} {p.hint}" for p in error.value.problems)


def test_without_targets_nothing_is_watched_and_with_them_the_usual_rules_are():  # X12
    assert alerts("").for_core() == ()
    assert alerts(TARGET).for_core() == DEFAULT_RULES
    assert alerts(TARGET + "rules = []").for_core() == ()


def test_a_rule_says_what_it_says_and_the_rest_is_usual():
    found = alerts(TARGET + '[[alerts.rules]]\nwhen = "balance"\n[[alerts.rules]]\nwhen = "window"\n'
        'name = "mine"\nwindow = "7d"\nabove = 0.5\nfor = "10min"\ntargets = ["phone"]\n')  # fmt: skip
    first, second = found.for_core()
    assert (first.name, first.above) == ("balance-1", 5.0)
    assert (second.name, second.window, second.above, second.for_s) == ("mine", "7d", 0.5, 600.0)
    assert second.targets == ("phone",)


@pytest.mark.parametrize(
    "url", ["slack://T/B/k3y", "https://hooks.slack.com/services/T/B/k3y", "discord://1/k3y",
     "apprise:tgram://k3y/1", "ntfy://:k3y@n.example/t", "https://me:k3y@h.example/x"],
)  # fmt: skip
def test_a_url_that_is_a_secret_must_stand_elsewhere_and_is_not_repeated(url):
    said = wrong(f'targets = {{ x = "{url}" }}')
    assert "env:NAME" in said
    assert "k3y" not in said


def test_references_are_taken_and_files_are_found_beside_the_config():
    found = alerts('targets = { a = "env:SLACK", b = "file:hook" }').targets
    assert found == {"a": "env:SLACK", "b": "file:/etc/maxpool/hook"}


def test_programs_are_no_targets():  # X7
    assert "must not be a program" in wrong('targets = { x = "command:notify-send hello" }')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('quiet_hours = "25:00-07:00"', "two times of the day"),
        ('[[alerts.rules]]\nwhen = "windwo"', "window"),
        ('[[alerts.rules]]\nwhen = "window"\nabove = 90', "above must be a share"),
        ('[[alerts.rules]]\nwhen = "dry"\ntargets = ["pager"]', "not among `targets`"),
        ('[[alerts.rules]]\nwhen = "dry"\nname = "x"\n' * 2, "two rules of one name"),
        ('[[alerts.rules]]\nwhen = "dry"\nwindwo = "7d"', "window"),
    ],
)
def test_what_is_wrong_is_said(text, said):
    assert said in wrong(TARGET + text)


@pytest.mark.parametrize(
    ("text", "minutes"), [("", None), ("22:00-07:00", (1320, 420)), ("9:30 - 10:00", (570, 600))]
)
def test_quiet_hours_are_minutes_of_the_day(text, minutes):
    assert alerts(f'quiet_hours = "{text}"').quiet() == minutes

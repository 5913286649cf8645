from __future__ import annotations

import json

import pytest

from maxpool.core.alertrules import DEFAULT_RULES, AlertRule, Seen
from maxpool.core.alerts import Change
from maxpool.wire.alerts import (
    DISCORD_CHARS,
    MAX_LINES,
    Target,
    message_of,
    request_of,
    sentence,
    target_of,
    trial_message,
)

NOW = 1_800_000_000.0  # Fri 08:00 UTC
RULES = {rule.when: rule for rule in (*DEFAULT_RULES, AlertRule(name="b", when="balance"))}


def change(when: str = "window", told: str = "firing", **given: object) -> Change:
    fields = {"name": "max-1", "fires": True, "value": 0.92, "until": NOW + 7200.0, **given}
    rule = RULES[when]  # type: ignore[index]
    return Change(told, rule, Seen((rule.name, "a", "7d"), **fields), NOW - 600.0, NOW)  # type: ignore[arg-type]


def payload(text: str, *changes: Change) -> dict[str, object]:
    target = target_of(text)
    _, body = request_of(target, message_of(changes or (change(),), 0))
    found: dict[str, object] = json.loads(body)
    return found


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("https://h.example/x?y=1", Target("json", "https://h.example/x?y=1")),
        ("http://127.0.0.1:9/x", Target("json", "http://127.0.0.1:9/x")),
        ("slack://T1/B2/k3", Target("slack", "https://hooks.slack.com/services/T1/B2/k3")),
        ("https://hooks.slack.com/services/T/B/k", Target("slack", "https://hooks.slack.com/services/T/B/k")),
        ("slack+https://chat.example/hooks/k", Target("slack", "https://chat.example/hooks/k")),
        ("discord://12/tok", Target("discord", "https://discord.com/api/webhooks/12/tok")),
        ("https://discord.com/api/webhooks/12/tok", Target("discord", "https://discord.com/api/webhooks/12/tok")),
        ("ntfy://ntfy.example/topic", Target("ntfy", "https://ntfy.example", "topic")),
        ("ntfy://topic", Target("ntfy", "https://ntfy.sh", "topic")),
        ("ntfy+http://127.0.0.1:9/topic", Target("ntfy", "http://127.0.0.1:9", "topic")),
        ("ntfy://:tk_1@n.example/t", Target("ntfy", "https://n.example", "t", "Bearer tk_1")),
        ("ntfy://me:pw@n.example/t", Target("ntfy", "https://n.example", "t", "Basic bWU6cHc=")),
        ("apprise:tgram://123/456", Target("apprise", "tgram://123/456")),
    ],
)  # fmt: skip
def test_a_url_names_its_form_and_where_to_post(text, target):
    assert target_of(text) == target


@pytest.mark.parametrize(
    "text",
    ["", "x", "ftp://h/x", "command:rm -rf /", "apprise:x", "slack://one", "ntfy://h/a/b", "https://",
     "discord://x", "ntfy+ftp://h/t", "http://[::1", "http://h:x/"],
)  # fmt: skip
def test_what_is_no_target_is_refused_without_repeating_it(text):
    with pytest.raises(ValueError, match=r"^(must|is no)") as error:
        target_of(text)
    assert len(text) < 3 or text not in str(error.value)


def test_a_label_never_holds_the_secret_part():
    labels = [target_of(t).label for t in ("slack://T/B/k3y", "discord://1/k3y", "apprise:x://k3y")]
    assert labels == ["slack hooks.slack.com", "discord discord.com", "apprise x"]


def test_our_own_json_tells_each_alert_with_its_fields():
    found = payload("https://h.example")
    alerts = found["alerts"]
    assert isinstance(alerts, list)
    assert (found["version"], found["source"]) == (1, "maxpool")
    assert alerts == [{
        "status": "firing", "rule": "week-used", "when": "window", "account": "max-1", "about": "7d",
        "value": 0.92, "until": NOW + 7200.0, "since": NOW - 600.0, "at": NOW, "text": found["text"],
    }]  # fmt: skip


def test_slack_gets_text_with_its_three_characters_escaped():
    found = payload("slack://T/B/k", change(name="<!channel> & co"))
    assert found.keys() == {"text"}
    assert "&lt;!channel&gt; &amp; co" in str(found["text"])


def test_discord_gets_content_within_its_limit_that_pings_nobody():
    many = [change(name="@everyone " * 20) for _ in range(MAX_LINES)]
    found = payload("discord://1/k", *many)
    assert found["allowed_mentions"] == {"parse": []}
    assert len(str(found["content"])) <= DISCORD_CHARS


@pytest.mark.parametrize(
    ("when", "told", "priority", "tag"),
    [
        ("pool_dry", "firing", 5, "warning"),
        ("window", "firing", 3, "warning"),
        ("pool_dry", "resolved", 2, "white_check_mark"),
    ],
)
def test_ntfy_gets_topic_title_message_priority_and_tag(when, told, priority, tag):
    found = payload("ntfy://n.example/mine", change(when, told))
    assert found.keys() == {"topic", "title", "message", "priority", "tags"}
    assert (found["topic"], found["priority"], found["tags"]) == ("mine", priority, [tag])


def test_a_login_goes_into_its_header_and_nowhere_else():
    target = target_of("ntfy://:tk_secret@n.example/t")
    headers, body = request_of(target, trial_message())
    assert (b"authorization", b"Bearer tk_secret") in headers
    assert b"tk_secret" not in body + target.url.encode()


@pytest.mark.parametrize(
    ("when", "given", "text"),
    [
        ("window", {}, "max-1: 92 % of the 7d window is used, resets Fri 10:00."),
        ("dry", {}, "max-1: the 7d window runs dry at Fri 10:00 at this pace, before its reset (92 % used)."),
        ("pool_dry", {"name": ""}, "No account can serve, the next one is back Fri 10:00."),
        ("pool_dry", {"until": None}, "No account can serve."),
        ("login_dead", {"why": "revoked"}, "max-1 serves no more until somebody logs in: maxpool login (revoked)."),
        ("login_expiring", {}, "max-1: its login ends in 2 h, on Fri 10:00; maxpool login renews it."),
        ("error_rate", {"value": 0.3}, "30 % of the answers of the last 15 minutes were errors."),
        ("budget", {"until": None}, "max-1: 92 % of the limit 7d is used."),
        ("balance", {"value": 3.5}, "max-1: 3.50 USD of its balance is left."),
        ("ledger", {"value": 4.0, "why": "full."}, "The ledger has trouble: full. 4 rows are lost. Requests are served all the same."),
        ("internal_errors", {"value": 2.0}, "maxpool itself failed 2 times in 15 minutes; its log says where."),
    ],
)  # fmt: skip
def test_every_kind_of_alert_is_a_sentence(when, given, text):
    assert sentence(change(when, **given), 0) == text


def test_times_are_those_of_the_servers_people():
    assert "resets Fri 12:00" in sentence(change(), 7200)


def test_an_end_says_how_long_it_was_and_a_reminder_that_it_still_is_so():
    assert sentence(change(told="resolved"), 0).startswith("Over after 10 min: max-1")
    assert sentence(change(told="reminder"), 0).startswith("Still so: max-1")


def test_many_alerts_are_one_message_of_bounded_length():
    message = message_of([change() for _ in range(40)], 0)
    assert message.title == "maxpool: 40 alerts"
    assert len(message.lines) == MAX_LINES + 1
    assert message.lines[-1] == "and 20 more"
    assert len(message.alerts) == 40

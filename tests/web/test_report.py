"""The status document: the specified fields, honest numbers, nothing secret."""

from __future__ import annotations

import json

import pytest

from maxpool import (
    AuthRejected,
    Command,
    ProbeFailure,
    QuotaExceeded,
    Refusal,
    Success,
    TokenUsage,
)
from maxpool.core.eligibility import Reason
from maxpool.service.stats import Stats
from maxpool.web.report import ServerFacts, document
from tests.make import HOUR, NOW, account, ask, key, lease, pool, unified

FACTS = ServerFacts(
    version="1", config_path="c.toml", config_loaded_at=NOW, config_error=None, notices=(), jobs={}
)


def status(p, now=NOW):
    return document(p.view(now), Stats(), FACTS)


def test_the_document_has_the_specified_fields_and_is_json():
    p = pool("a")
    p.observe("a", unified(five=0.4, seven=0.2), NOW)
    lease(p, session="s")
    doc = json.loads(json.dumps(status(p), allow_nan=False))
    assert {"version", "started_at", "uptime_s", "now", "config", "summary", "accounts"} <= set(doc)
    assert {"sessions", "queue", "throttle", "jobs", "harm"} <= set(doc)
    assert {"verdict", "accounts_total", "accounts_ready", "requests_in_flight", "queued"} <= set(
        doc["summary"]
    )
    assert {"headroom", "burn", "next_resets"} <= set(doc["summary"])
    (a,) = doc["accounts"]
    assert {"id", "name", "kind", "provider", "plan", "enabled", "state", "unavailable"} <= set(a)
    assert {"in_flight", "slots", "sessions", "priority", "windows", "buckets", "balance"} <= set(a)
    assert {"credential", "last_hour", "last_error", "probe"} <= set(a)
    assert {"window", "utilization", "estimated", "reset_at", "source", "age_s", "pace"} <= set(
        a["windows"][0]
    )
    assert {"burn_per_hour", "projected_at_reset", "exhausts_at", "benched_until"} <= set(
        a["windows"][0]
    )


def test_busy_and_available_count_enabled_accounts_only():  # S23
    p = pool("a", "b", account("off", enabled=False))
    summary = status(p)["summary"]
    assert (summary["accounts_total"], summary["accounts_ready"]) == (2, 2)
    assert summary["accounts_disabled"] == 1
    assert summary["verdict"].startswith("2 of 2 accounts ready")


def test_a_login_that_stands_there_twice_is_counted_once_and_said():  # S13
    p = pool("max-1", "max-2", "max-3")
    for name, used in (("max-1", 0.5), ("max-2", 0.5), ("max-3", 0.1)):
        organization = {"anthropic-organization-id": f"o{name == 'max-3'}"}
        p.observe(name, unified(five=used, seven=0.2) | organization, NOW)
    doc = status(p)
    assert doc["summary"]["headroom"]["5h"] == pytest.approx((0.5 + 0.9) / 2)
    (notice,) = doc["notices"]
    assert notice.startswith("max-1 and max-2 seem to be the same login")


def test_why_an_account_is_not_probed_any_more_is_shown():
    p = pool(account("a", probes=True))
    p.learn("a", ProbeFailure("scope"), NOW)
    (a,) = status(p)["accounts"]
    assert (a["probe"]["last_result"], a["probe"]["barred"]) == ("scope", "scope")


def test_homes_are_counted_apart_from_what_serves():
    p = pool("a", account("h", kind="home"), account("off", kind="home", enabled=False))
    p.observe("a", unified(five=0.5), NOW)
    p.observe("h", unified(five=0.9), NOW)
    summary = status(p)["summary"]
    assert (summary["accounts_total"], summary["accounts_ready"], summary["homes"]) == (1, 1, 2)
    assert (summary["accounts_disabled"], summary["headroom"]["5h"]) == (0, 0.5)
    assert [reset["account"] for reset in summary["next_resets"]] == ["a"]


def test_a_pool_of_homes_alone_says_how_they_are_used():
    verdict = status(pool(account("h", kind="home")))["summary"]["verdict"]
    assert "maxpool run --home" in verdict


def test_headroom_is_weighted_by_capacity():
    p = pool(account("big", plan="max_20x"), account("small", plan="pro"))
    p.observe("big", unified(five=0.5, seven=0.5), NOW)
    p.observe("small", unified(five=1.0, seven=1.0), NOW)
    headroom = status(p)["summary"]["headroom"]
    assert headroom["5h"] == round(0.5 * 20 / 21, 4)


def test_headroom_says_nothing_before_half_the_capacity_has_told():
    p = pool(account("big", plan="max_20x"), account("small", plan="pro"))
    p.observe("small", unified(five=1.0, seven=1.0), NOW)
    assert status(p)["summary"]["headroom"]["5h"] is None


def test_when_nothing_can_serve_the_verdict_names_the_next_one_back():
    p = pool("a")
    p.release(lease(p), QuotaExceeded("5h", NOW + HOUR), NOW)
    assert "next one back at" in status(p)["summary"]["verdict"]
    assert status(p)["accounts"][0]["unavailable"] == {
        "reason": "quota",
        "until": NOW + HOUR,
        "detail": None,
    }


def test_a_pool_that_burns_faster_than_it_refills_says_when_it_is_dry():
    p = pool("a")
    for step in range(6):
        at = NOW + 600 * step
        p.observe(
            "a", unified(at, five=0.3 + 0.08 * step, seven=0.1, five_reset=NOW + 4 * HOUR), at
        )
    doc = status(p, NOW + 3000)
    burn = doc["summary"]["burn"]["5h"]
    assert 0.4 < burn["per_hour"] < 0.55
    assert NOW + 3000 < burn["empty_at"] < NOW + 2 * HOUR
    assert "dry at" in doc["summary"]["verdict"]


def test_an_empty_pool_says_what_to_do():
    assert "add one" in status(pool())["summary"]["verdict"]


@pytest.mark.parametrize(
    ("names", "said"),
    [("a", "the only account is disabled"), ("ab", "all 2 accounts are disabled")],
)
def test_a_pool_whose_accounts_are_all_disabled_says_how_to_enable_one(names, said):
    p = pool(*names)
    for name in names:
        p.command(Command("disable", name), NOW)
    verdict = status(p)["summary"]["verdict"]
    assert verdict == f"{said}; enable one: maxpool accounts enable NAME"


def test_a_pause_by_hand_is_in_the_verdict():
    p = pool("a", key("k"))
    p.command(Command("pause"), NOW)
    assert "paused by hand" in status(p)["summary"]["verdict"]


def test_what_nobody_may_use_is_not_free():
    p = pool("a")
    p.observe("a", unified(NOW, five=0.2, seven=0.1, five_reset=NOW + HOUR), NOW)
    assert "80 % of 5-hour capacity free" in status(p)["summary"]["verdict"]
    p.command(Command("drain", "a"), NOW)
    assert "free" not in status(p)["summary"]["verdict"]


def test_a_locked_account_says_why():
    p = pool("a")
    p.release(lease(p), AuthRejected(), NOW)
    (a,) = status(p)["accounts"]
    assert a["unavailable"]["detail"] == "the upstream refused its credential (401)"
    assert a["credential"]["dead"] == a["unavailable"]["detail"]


def test_the_scheduler_shows_its_mode_and_limits():
    p = pool("a", "b", slots_total=9)
    p.command(Command("prefer", "b"), NOW)
    shown = status(p)["scheduler"]
    assert (shown["strategy"], shown["preferred"], shown["paused"]) == ("cost", "b", False)
    assert (shown["slots_total"], shown["slots_total_used"]) == (9, 0)
    assert {"slots_per_account", "slots_per_key", "queue_limit", "queue_max_wait_s"} <= set(shown)


def test_load_is_shown_now_lately_and_in_all():
    p = pool("a")
    taken = lease(p)
    p.observe("a", {}, NOW + 1, lease=taken, status=200)
    p.release(taken, Success(TokenUsage(3, 4, cost_usd=0.5)), NOW + 2)
    p.release(lease(p), AuthRejected(), NOW + 2)
    lease(pool("b"))
    (a,) = status(p, NOW + 20 * 60)["accounts"]
    assert (a["last_15_min"]["requests"], a["last_hour"]["requests"]) == (0, 2)
    assert (a["total"]["requests"], a["total"]["failed"], a["total"]["tokens_out"]) == (2, 1, 4)
    assert (a["last_hour"]["mean_ms"], a["total"]["cost_usd"]) == (2000.0, 0.5)
    assert (a["last_status"], a["last_status_at"]) == (200, NOW + 1)


def test_the_oldest_waiter_and_the_throttles_probes_are_shown():
    p = pool(account("a", slots=0))
    assert status(p)["summary"]["oldest_waiting_s"] is None
    p.acquire(ask(), NOW)
    p.acquire(ask(), NOW + 5)
    p.throttle.open("anthropic", "f", NOW)
    doc = status(p, NOW + 9)
    assert (doc["summary"]["queued"], doc["summary"]["oldest_waiting_s"]) == (2, 9.0)
    assert (doc["throttle"]["count"], doc["throttle"]["last_at"]) == (1, NOW)
    assert doc["throttle"]["open"][0]["failed_probes"] == 0


def test_the_last_refusals_are_shown_latest_first():
    stats = Stats()
    for name in ("r1", "r2"):
        refusal = Refusal(Reason.QUOTA, NOW + 5, "quota")
        stats.turned_away(refusal, name, "m", {"quota": 1}, NOW)
    doc = json.loads(json.dumps(document(pool("a").view(NOW), stats, FACTS)))
    assert [r["request_id"] for r in doc["refusals"]] == ["r2", "r1"]
    assert doc["refusals"][0]["unavailable"] == {"quota": 1}


def test_disabled_accounts_add_no_headroom_no_burn_and_no_reset():  # S23
    p = pool("a", account("off", enabled=False))
    p.observe("a", unified(five=0.5, seven=0.5), NOW)
    p.observe("off", unified(five=0.0, seven=0.0, five_reset=NOW + 9), NOW)
    summary = status(p)["summary"]
    assert summary["headroom"] == {"5h": 0.5, "7d": 0.5}
    assert {r["account"] for r in summary["next_resets"]} == {"a"}
    assert summary["burn"]["5h"]["next_relief_at"] == NOW + 2 * HOUR


def test_what_clients_bring_along_is_counted_apart():
    p = pool(account("mine", kind="client"))
    told = status(p)["summary"]
    assert (told["accounts_total"], told["client_logins"]) == (0, 1)
    assert told["verdict"].startswith("no account of its own")
    p.add(account("a"), NOW)
    assert status(p)["summary"]["verdict"].startswith("1 of 1 account ready")

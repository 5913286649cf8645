"""Accounts of one organisation: what they share, what they do not, and one login seen twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from maxpool import (
    AuthFinal,
    CredentialChange,
    Forbidden,
    ModelMissing,
    NetworkFailure,
    Pool,
    QuotaExceeded,
    RateLimited,
    SpendLimited,
    TransientFailure,
)
from maxpool.core.groups import HEADER, MIXED
from maxpool.core.lease import BucketReading
from tests.make import DAY, HOUR, NOW, account, key, lease, pool, reason_of, state_of, unified

BUCKET = "anthropic-ratelimit-requests-"


def of(organization: str, **more: str) -> dict[str, str]:
    return {HEADER: organization, **more}


def keys_of(*organizations: str) -> Pool:
    """Keys `k0`, `k1`, ... each of which has been answered by its organisation."""
    p = pool(*(key(f"k{i}") for i in range(len(organizations))))
    for i, organization in enumerate(organizations):
        p.observe(f"k{i}", of(organization), NOW)
    return p


def end(p: Pool, name: str, outcome: Any) -> None:
    p.release(lease(p, exclude=frozenset(p.states) - {name}), outcome, NOW)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (RateLimited(NOW + 40), "rate_limited"),
        (SpendLimited(), "spend_limit"),
        (QuotaExceeded("7d", NOW + DAY), "quota"),
    ],
)
def test_a_limit_met_by_one_key_holds_for_all_of_its_organisation(outcome, reason):  # S13
    p = keys_of("o1", "o1", "o2")
    end(p, "k0", outcome)
    assert [reason_of(p, f"k{i}") for i in range(3)] == [reason, reason, None]


@pytest.mark.parametrize(
    "outcome",
    [AuthFinal("revoked"), Forbidden(), NetworkFailure(), ModelMissing("m"), TransientFailure(500)],
)
def test_logins_networks_and_models_stay_everybodys_own(outcome):  # S13
    p = keys_of("o1", "o1")
    end(p, "k0", outcome)
    assert state_of(p, "k1") == "ready"
    assert not p.states["k1"].model_benches


def test_two_organisations_of_one_person_are_two_accounts():  # S13
    p = keys_of("o1", "o2")
    end(p, "k0", RateLimited(NOW + 40))
    assert lease(p).account_id == "k1"


def test_a_reading_for_one_key_is_known_of_all():
    p = keys_of("o1", "o1", "o2")
    p.observe("k0", of("o1", **{f"{BUCKET}limit": "50", f"{BUCKET}remaining": "7"}), NOW)
    shown = [s.quota.buckets.get("requests") for s in p.states.values()]
    assert shown == [BucketReading("requests", 50, 7), BucketReading("requests", 50, 7), None]
    p.observe("k1", {**of("o1"), **unified(five=0.4)}, NOW)
    assert [s.quota.utilization("5h", NOW) for s in p.states.values()] == [0.4, 0.4, None]


def test_a_newcomer_takes_over_what_holds_for_its_organisation():
    p = keys_of("o1")
    end(p, "k0", RateLimited(NOW + 40))
    p.add(key("k1"), NOW)
    p.observe("k1", of("o1"), NOW)
    assert reason_of(p, "k1") == "rate_limited"


def test_a_plan_and_a_key_of_one_organisation_share_nothing():
    p = pool("max", key("k"))
    for name in ("max", "k"):
        p.observe(name, of("o1"), NOW)
    end(p, "max", QuotaExceeded("7d", NOW + DAY))
    assert state_of(p, "k") == "ready"


def test_a_key_that_several_organisations_answer_for_is_in_no_group():
    p = keys_of("o1", "o1")
    p.observe("k1", of("o2"), NOW)
    p.observe("k1", of("o1"), NOW)
    assert p.states["k1"].organization == MIXED
    end(p, "k0", RateLimited(NOW + 40))
    assert state_of(p, "k1") == "ready"


def test_a_new_login_may_be_of_another_organisation():
    p = keys_of("o1", "o2")
    p.credential("k1", CredentialChange("logged_in"), NOW)
    p.observe("k1", of("o1"), NOW)
    end(p, "k0", RateLimited(NOW + 40))
    assert reason_of(p, "k1") == "rate_limited"


def test_what_another_upstream_says_of_an_organisation_benches_nobody_here():  # S13
    p = pool(
        key("k0", upstream="https://gateway.example"), key("k1", upstream="https://api.example")
    )
    for name in ("k0", "k1"):
        p.observe(name, of("o1"), NOW)
    end(p, "k0", RateLimited(NOW + 40))
    assert (reason_of(p, "k0"), reason_of(p, "k1")) == ("rate_limited", None)


def test_an_account_that_moves_leaves_its_group():
    p = keys_of("o1", "o1")
    p.update(key("k0", upstream="https://elsewhere.example"), NOW)
    end(p, "k0", RateLimited(NOW + 40))
    assert (reason_of(p, "k1"), p.groups.members) == (None, {"o1": ["k1"]})


def test_groups_survive_a_restart():  # S18
    p = keys_of("o1", "o1")
    saved = json.loads(json.dumps(p.snapshot(NOW)))
    again = Pool.restore(saved, [s.account for s in p.states.values()], p.settings, NOW)
    end(again, "k1", RateLimited(NOW + 40))
    assert reason_of(again, "k0") == "rate_limited"


def test_a_removed_account_leaves_its_group():
    p = keys_of("o1", "o1")
    p.remove("k0", NOW)
    end(p, "k1", RateLimited(NOW + 40))
    p.remove("k1", NOW)
    assert p.groups.members == {}


@pytest.mark.parametrize("name", ["", "  ", "x" * 200])
def test_a_header_that_names_nobody_forms_no_group(name):
    p = keys_of(name, name)
    assert [s.organization for s in p.states.values()] == [None, None]


def plans(**second: Any) -> Pool:
    p = pool("max-1", "max-2")
    p.observe("max-1", {**of("o1"), **unified(five=0.2, seven=0.5)}, NOW)
    p.observe("max-2", {**of("o1"), **unified(**{"five": 0.21, "seven": 0.5, **second})}, NOW + 9)
    return p


def test_a_subscription_that_was_added_twice_is_noticed():  # S13
    p = plans()
    assert p.groups.twins(NOW + 10, p.settings) == {"max-2": "max-1"}
    assert [a.twin_of for a in p.view(NOW + 10).accounts] == [None, "max-1"]


@pytest.mark.parametrize(
    "second",
    [{"seven_reset": NOW + 2 * DAY}, {"five_reset": NOW + HOUR}, {"seven": 0.3}, {"five": 0.1}],
)
def test_two_seats_of_a_team_are_two_subscriptions(second):  # S13
    p = plans(**second)
    assert p.groups.twins(NOW + 10, p.settings) == {}


def test_three_times_the_same_login_is_named_after_the_first():
    p = plans()
    p.add(account("max-3"), NOW)
    p.observe("max-3", {**of("o1"), **unified(five=0.21, seven=0.5)}, NOW + 9)
    assert p.groups.twins(NOW + 10, p.settings) == {"max-2": "max-1", "max-3": "max-1"}

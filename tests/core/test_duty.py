"""What is due: probes where they can change a choice, refreshes, saves."""

from __future__ import annotations

import pytest

from maxpool import (
    AuthFinal,
    Command,
    CredentialChange,
    Due,
    Pool,
    ProbeFailure,
    Reading,
    UsageReport,
)
from tests.make import DAY, HOUR, NOW, account, lease, pool, unified

READ = UsageReport((Reading("5h", 0.1, NOW + HOUR),))


def due(p: Pool, kind: str, now: float = NOW) -> list[str | None]:
    return [one.account_id for one in p.due(now) if one.kind == kind]


def probing(*names: str, **settings) -> Pool:
    return pool(*(account(n, probes=True) for n in names), **settings)


def test_only_accounts_whose_usage_can_be_asked_are_probed():
    assert due(pool("a"), "probe") == []
    assert due(probing("a"), "probe") == ["a"]


def test_one_account_is_probed_at_a_time_in_the_whole_pool():
    p, order, now = probing("a", "b", "c", probe_lane_s=10.0), [], NOW
    for _ in range(3):
        (name,) = due(p, "probe", now)
        p.learn(name or "", READ, now)
        order.append(name)
        assert due(p, "probe", now + 9) == []
        now += 10
    assert (order, due(p, "probe", now)) == (["a", "b", "c"], [])


def test_the_one_asked_longest_ago_comes_first():
    p = probing("a", "b", probe_lane_s=10.0)
    p.learn("b", READ, NOW)
    p.learn("a", READ, NOW + 10)
    assert due(p, "probe", NOW + 700) == ["b"]


def test_an_account_whose_answers_tell_its_quota_needs_no_probe():
    p = probing("a")
    p.observe("a", unified(five=0.2, seven=0.3), NOW)
    assert due(p, "probe", NOW + 599) == []
    assert due(p, "probe", NOW + 600) == ["a"]


def test_a_failed_probe_waits_longer_each_time_and_as_long_as_it_was_told():
    p, gaps = probing("a"), []
    for i in range(4):
        now = NOW + i * DAY
        p.learn("a", ProbeFailure("429", 5), now)
        gaps.append(p.states["a"].probing.next_at - now)
    assert gaps == [1200, 2400, 3600, 3600]
    p.learn("a", ProbeFailure("429", 9_000), NOW)
    assert p.states["a"].probing.next_at == NOW + 9_000
    p.learn("a", READ, NOW)
    assert (p.states["a"].probing.failures, p.states["a"].probing.next_at) == (0, NOW + 600)


def test_a_failed_probe_means_unknown_never_full_and_never_free():
    p = probing("a")
    p.observe("a", unified(five=0.4), NOW)
    p.learn("a", ProbeFailure("network"), NOW)
    assert p.states["a"].quota.utilization("5h", NOW) == 0.4


@pytest.mark.parametrize("action", ["disable", "kill", "lock"])
def test_dead_and_disabled_accounts_are_never_refreshed_or_probed(action):  # T8
    p = probing("a")
    p.credential("a", CredentialChange("expires", NOW), NOW)
    assert (due(p, "refresh"), due(p, "probe")) == (["a"], ["a"])
    if action == "disable":
        p.command(Command("disable", "a"), NOW)
    elif action == "kill":
        p.credential("a", CredentialChange("dead"), NOW)
    else:
        p.release(lease(p), AuthFinal("revoked"), NOW)
    assert (due(p, "refresh"), due(p, "probe")) == ([], [])


def test_a_refresh_is_due_ahead_of_the_expiry_and_no_more_after_it_happened():
    p = pool("a")
    p.credential("a", CredentialChange("expires", NOW + HOUR), NOW)
    assert due(p, "refresh", NOW + 2_999) == []
    (found,) = [d for d in p.due(NOW + 3_000) if d.kind == "refresh"]
    assert found == Due("refresh", "a", NOW + 3_000)
    p.credential("a", CredentialChange("refreshed", NOW + 9 * HOUR), NOW + 3_000)
    assert due(p, "refresh", NOW + 3_001) == []


def test_a_save_is_due_after_a_change_and_at_most_every_second():
    p = pool("a")
    p.saved(p.revision, NOW)
    assert due(p, "save", NOW + DAY) == []
    lease(p)
    assert (due(p, "save", NOW + 0.9), due(p, "save", NOW + 1)) == ([], [None])
    p.saved(p.revision, NOW + 1)
    assert due(p, "save", NOW + 9) == []


def test_what_is_due_comes_soonest_first():
    p = pool("a", "b")
    for i, name in enumerate("ba"):
        p.credential(name, CredentialChange("expires", NOW + i), NOW)
    times = [d.at for d in p.due(NOW + 1)]
    assert times == sorted(times)
    assert due(p, "refresh", NOW + 1) == ["b", "a"]

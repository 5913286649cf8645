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
    assert (sorted(map(str, order)), due(p, "probe", now)) == (["a", "b", "c"], [])


def test_not_always_the_same_account_comes_first_after_a_restart():
    names = [f"a{i}" for i in range(5)]
    accounts = [account(n, probes=True) for n in names]
    first = {due(Pool(accounts, None, NOW + i), "probe", NOW + 60)[0] for i in range(40)}
    assert len(first) == 5


def test_a_never_seen_account_comes_before_a_changed_and_that_before_an_idle_one():
    p, order = probing("idle", "reset", "new"), []
    for name, ahead in (("idle", DAY), ("reset", HOUR / 2)):
        headers = unified(five=0.2, seven=0.2, seven_reset=NOW + ahead)
        del headers["anthropic-ratelimit-unified-5h-reset"]
        p.observe(name, headers, NOW)
    for i in range(3):
        now = NOW + HOUR + i * 30
        order += due(p, "probe", now)
        p.learn(str(order[-1]), UsageReport((Reading("7d", 0.1, NOW + DAY),)), now)
    assert order == ["new", "reset", "idle"]


def test_a_passed_reset_is_asked_about_once():
    p, told = probing("a"), UsageReport((Reading("7d", 0.2, NOW + DAY),))
    p.observe("a", unified(five=0.9, seven=0.2, five_reset=NOW + 1000), NOW)
    p.learn("a", told, NOW + 300)
    assert due(p, "probe", NOW + 999) == []
    assert due(p, "probe", NOW + 1000) == ["a"]
    p.learn("a", told, NOW + 1000)
    assert due(p, "probe", NOW + 1700) == []  # it may be asked, and is not worth it


def test_a_closed_account_is_asked_about_only_when_its_bench_is_about_to_end():
    p = probing("a")
    p.observe("a", unified(five=0.3, seven=1.0, status="rejected", claim="seven_day"), NOW)
    ends = NOW + 3 * DAY
    assert [due(p, "probe", at) for at in (NOW + HOUR, NOW + DAY, ends - 61)] == [[], [], []]
    assert due(p, "probe", ends - 60) == ["a"]
    p.learn("a", ProbeFailure("network"), ends - 59)
    assert due(p, "probe", ends - 1) == []


def test_a_pool_that_nobody_uses_asks_ever_more_rarely():
    p, gaps, now = probing("a"), [], NOW
    p.learn("a", READ, NOW)
    asked = now
    while now < NOW + 6 * HOUR:
        now += 30
        if due(p, "probe", now):
            p.learn("a", UsageReport((Reading("7d", 0.1, NOW + DAY),)), now)
            gaps.append(now - asked)
            asked = now
    assert gaps == sorted(gaps)
    assert gaps[0] <= 720
    assert 3600 <= gaps[-1] <= 4000


def test_no_two_accounts_keep_step_and_none_is_asked_too_soon():
    gaps = set()
    for i in range(50):
        p = probing(f"a{i}")
        p.learn(f"a{i}", READ, NOW)
        gaps.add(p.states[f"a{i}"].probing.next_at - NOW)
    assert len(gaps) > 45
    assert 600 <= min(gaps) <= max(gaps) <= 660


def test_a_login_that_is_refused_three_times_is_not_asked_again_before_the_next():
    p = probing("a")
    for i in range(3):
        assert due(p, "probe", NOW + i * DAY) == ["a"]
        p.learn("a", ProbeFailure("401"), NOW + i * DAY)
    assert due(p, "probe", NOW + 9 * DAY) == []
    p.credential("a", CredentialChange("logged_in"), NOW + 9 * DAY)
    assert due(p, "probe", NOW + 9 * DAY) == ["a"]


def test_a_login_without_the_profile_scope_is_not_asked_at_all():
    p = probing("a", "b")
    p.learn("a", ProbeFailure("scope"), NOW)
    assert due(p, "probe", NOW + DAY) == ["b"]


def test_refusals_with_an_answer_between_them_bar_nobody():
    p = probing("a")
    told: list[ProbeFailure | UsageReport] = [*2 * [ProbeFailure("401")], READ]
    for i, one in enumerate([*told, *2 * [ProbeFailure("403")]]):
        p.learn("a", one, NOW + i * DAY)
    assert due(p, "probe", NOW + 9 * DAY) == ["a"]


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
    least = (1200, 2400, 3600, 3600)
    assert all(at <= gap <= at * 1.1 for at, gap in zip(least, gaps, strict=True))
    p.learn("a", ProbeFailure("429", 9_000), NOW)
    told = p.states["a"].probing
    assert told.paused_until == NOW + 9_000 <= told.next_at <= NOW + 9_360
    p.learn("a", READ, NOW)
    assert (told.failures, told.paused_until) == (0, 0.0)
    assert NOW + 600 <= told.next_at <= NOW + 660


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


def test_a_clock_set_back_during_a_save_keeps_the_next_one_from_nobody():  # O7
    p = pool("a")
    p.command(Command("pause"), NOW)
    p.clock_stepped(-HOUR, NOW - HOUR)
    p.saved(0, NOW)  # the save began before the step
    assert due(p, "save", NOW - HOUR + 1) == [None]


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


def test_a_refresh_that_failed_is_due_again_when_its_pause_is_over():
    p = pool("a", refresh_ahead_s=600.0)
    p.credential("a", CredentialChange("expires", expires_at=NOW + 500), NOW)
    p.credential("a", CredentialChange("stalled", until=NOW + 40), NOW)
    assert due(p, "refresh", NOW + 39) == []
    assert due(p, "refresh", NOW + 40) == ["a"]


def test_a_login_that_is_ending_is_looked_at_when_its_token_expires():  # T4
    p = pool("a", refresh_ahead_s=600.0)
    p.credential("a", CredentialChange("expires", expires_at=NOW + 500), NOW)
    p.credential("a", CredentialChange("ending", reason="over"), NOW)
    assert due(p, "refresh", NOW + 499) == []
    assert due(p, "refresh", NOW + 500) == ["a"]

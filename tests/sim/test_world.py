import math

import pytest

from maxpool.core.ratelimit import Rejection, evidence, read_headers
from maxpool.sim.bundles import least_work
from maxpool.sim.world import BURST, FAILED, OK, QUOTA, STORM, UNREACHED, Spans, Stake, World
from tests.sim.handmade import DAY, HOUR, WEEK, hidden, session, turn, world

ORIGIN = 1_800_000_000.0


def made(*parts, **given):
    return World(world(*parts, **given), ORIGIN)


def one(**given):
    """The only account of a world."""
    return made(hidden(**given)).accounts["a"]


def stake(number=0, life=None, **given):
    return Stake(number, session(**given), life)


def cached(account, at, who, **given):
    """What a turn that is sent then reads from the cache."""
    sent = account.send(who, turn(**given), ORIGIN + at)
    assert sent.status == OK
    account.in_flight -= 1
    return sent.cached


def proof(refused, at):
    """The window that a refusal closes."""
    found = evidence(read_headers(refused.headers, ORIGIN + at), 429)
    assert isinstance(found, Rejection)
    return found


def windows(headers, at=0.0):
    return {r.window: r for r in read_headers(headers, ORIGIN + at).readings}


def test_a_request_is_charged_when_it_is_admitted_and_one_may_overshoot():
    account = one(capacity_5h=1500.0)
    assert [account.send(stake(), turn(), ORIGIN + at).status for at in (0, 1, 2)] == [
        OK,
        OK,
        QUOTA,
    ]
    assert account.burned == account.used_5h == account.used_7d == 2000.0


def test_a_refusal_names_the_full_window_and_its_reset():
    account = one(capacity_5h=900.0, capacity_7d=1e6)
    account.send(stake(), turn(), ORIGIN)
    refused = account.send(stake(), turn(), ORIGIN + 60.0)
    assert proof(refused, 60.0) == Rejection("5h", ORIGIN + 5 * HOUR)
    assert refused.headers["retry-after"] == str(int(5 * HOUR - 60))


def test_of_two_full_windows_the_one_that_ends_last_is_named():
    account = one(capacity_5h=900.0, capacity_7d=900.0, week_phase_s=2 * DAY)
    account.send(stake(), turn(), ORIGIN)
    refused = account.send(stake(), turn(), ORIGIN + 60.0)
    assert proof(refused, 60.0) == Rejection("7d", ORIGIN + 2 * DAY)


def test_the_5h_window_opens_with_the_first_request_after_the_last_ended():
    account = one(capacity_5h=1e6)
    account.send(stake(), turn(), ORIGIN + HOUR)
    assert account.ends_5h == ORIGIN + 6 * HOUR
    account.send(stake(), turn(), ORIGIN + 9 * HOUR)
    assert account.ends_5h == ORIGIN + 14 * HOUR
    assert account.used_5h == 1000.0


def test_the_week_keeps_its_phase_through_idle_weeks():
    account = one(capacity_7d=1e6, week_phase_s=DAY, used_7d=0.5)
    assert account.used_7d == 5e5
    account.send(stake(), turn(), ORIGIN + 2 * WEEK)
    assert (account.ends_7d, account.used_7d) == (ORIGIN + 2 * WEEK + DAY, 1000.0)


def test_too_many_at_once_get_a_429_that_proves_no_quota():
    account = one(concurrency=2)
    sent = [account.send(stake(n), turn(), ORIGIN) for n in range(3)]
    assert [s.status for s in sent] == [OK, OK, 429]
    assert sent[2] is BURST
    report = read_headers(BURST.headers, ORIGIN)
    assert evidence(report, 429) is None
    assert report.retry_after_s == 2.0


def test_headers_are_rounded_to_a_hundredth_and_read_back():
    account = one(capacity_5h=30_000.0, capacity_7d=300_000.0)
    account.send(stake(), turn(), ORIGIN)
    found = windows(account.headers(ORIGIN + 2.0))
    assert (found["5h"].utilization, found["5h"].reset_at) == (0.03, ORIGIN + 5 * HOUR)
    assert (found["7d"].utilization, found["7d"].reset_at) == (0.0, ORIGIN + WEEK)
    assert read_headers(account.headers(ORIGIN), ORIGIN).allowed


def test_headers_are_made_anew_only_when_they_change():
    account = one(capacity_5h=1e6)
    account.send(stake(), turn(), ORIGIN)
    told = account.headers(ORIGIN + 2.0)
    account.send(stake(), turn(), ORIGIN + 3.0)
    assert account.headers(ORIGIN + 5.0) is told
    account.send(stake(), turn(output=4000), ORIGIN + 6.0)
    assert account.headers(ORIGIN + 8.0) is not told


def test_a_5h_window_that_is_not_open_has_no_reset():
    account = one(capacity_5h=1e6)
    account.send(stake(), turn(), ORIGIN)
    found = windows(account.headers(ORIGIN + 6 * HOUR), 6 * HOUR)
    assert found["5h"].reset_at is None
    assert found["5h"].utilization == 0.0


def test_a_key_has_no_windows_and_no_headers():
    account = one(kind="api_key", plan=None, concurrency=500)
    assert account.send(stake(), turn(), ORIGIN).status == OK
    assert account.headers(ORIGIN) == {}


def test_outages_are_now_of_the_network_now_of_the_server():
    account = one(outages=((10.0, 20.0), (30.0, 40.0)))
    found = [account.send(stake(), turn(), ORIGIN + at) for at in (5.0, 15.0, 20.0, 35.0)]
    assert [s.status for s in found] == [OK, 0, OK, 503]
    assert found[1] is UNREACHED
    assert found[3] is FAILED
    assert account.burned == 2000.0


def test_in_a_storm_every_answer_is_an_overload():
    found = made(hidden("a"), hidden("b"), storms=((10.0, 20.0),))
    assert [found.send(name, stake(), turn(), ORIGIN + 12.0) for name in "ab"] == [STORM, STORM]
    assert found.send("a", stake(), turn(), ORIGIN + 20.0).status == OK


def test_a_prefix_lives_from_its_last_use_on_the_account_that_has_it():
    found, who = made(hidden("a"), hidden("b")), stake()
    here, there = found.accounts["a"], found.accounts["b"]
    assert cached(here, 0, who, new=5000) == 0
    assert cached(here, 299, who, prefix=5000, reusable=5000) == 5000
    assert cached(here, 598, who, prefix=5000, reusable=5000) == 5000
    assert cached(there, 599, who, prefix=5000, reusable=5000) == 0
    assert cached(here, 898, who, prefix=5000, reusable=5000) == 0


def test_the_true_life_counts_whatever_was_announced():
    account, who = one(), stake(life=3600.0)
    cached(account, 0, who, new=5000)
    assert cached(account, 3599, who, prefix=5000, reusable=5000) == 5000


def test_a_compacted_session_reads_only_what_is_still_the_same():
    account, who = one(), stake()
    cached(account, 0, who, new=90_000)
    assert cached(account, 10, who, prefix=20_000, reusable=8_000) == 8_000


def test_a_system_prefix_is_shared_once_the_first_answer_has_begun():
    account = one()
    first, second, other = stake(0, system=900), stake(1, system=900), stake(2, digest="x")
    assert cached(account, 0.0, first, prefix=900, reusable=900) == 0
    assert cached(account, 1.0, second, prefix=900, reusable=900) == 0
    assert cached(account, 2.5, stake(3, system=900), prefix=900, reusable=900) == 900
    assert cached(account, 2.5, other, prefix=900, reusable=900) == 0


@pytest.mark.parametrize("ttl_s", [300.0, 3600.0])
def test_a_warm_turn_weighs_the_least_it_can(ttl_s):
    plan = session(ttl_s=ttl_s, model="claude-opus-5-5")
    account, who = one(), Stake(0, plan, None)
    account.send(who, turn(new=5000), ORIGIN)
    warm = turn(prefix=5200, reusable=5000, new=700, output=300)
    sent = account.send(who, warm, ORIGIN + 30.0)
    assert sent.work == pytest.approx(least_work(plan, warm, ttl_s))


def test_the_least_forgives_nothing_but_a_pause_of_its_own():
    found, who = made(hidden()), stake()
    resent = {"prefix": 5000, "reusable": 5000, "output": 0}
    assert found.least(who, turn(**resent), ORIGIN, first=False) == pytest.approx(500.0)
    paused = turn(think_s=301.0, **resent)
    assert found.least(who, paused, ORIGIN + 400.0, first=False) == pytest.approx(6250.0)


def test_a_time_lies_in_its_span_from_the_first_to_before_the_last_moment():
    spans = Spans(((30.0, 40.0), (10.0, 20.0)), 0.0)
    assert [spans.at(t) for t in (9.9, 10.0, 20.0, 35.0, math.inf)] == [None, 0, None, 1, None]

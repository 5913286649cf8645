"""The cost terms, against numbers worked out by hand from the formulas."""

from __future__ import annotations

import math
from typing import Any

import pytest

from maxpool.core.binding import Warmth
from maxpool.core.cost import Cost, Prices, Weeks, Weigher, outgrow, reckon
from maxpool.core.demand import Demand
from maxpool.core.eligibility import Reason
from maxpool.core.lease import Reading, TokenUsage
from maxpool.core.settings import PoolSettings
from maxpool.core.slope import Yardstick
from maxpool.core.state import AccountState
from tests.make import DAY, NOW, account, ask

SETTINGS = PoolSettings(quota_steepness=3.0)


def state(*readings: Reading, **given: Any) -> AccountState:
    found = AccountState(account=account("a", **given), enabled=True)
    found.quota.merge(readings, NOW, "headers", SETTINGS)
    return found


def prices(mean: float = 0.0) -> Prices:
    found = Prices(SETTINGS)
    if mean:
        found.learn_weight(mean)
    return found


def weigh(s: AccountState, mean: float = 0.0, **given: Any) -> Cost:
    fields = {"warm": {}, "unknown": 0.5, **given}
    unknown = fields.pop("unknown")
    weeks = weeks_at(fields.pop("now", NOW))
    request = fields.pop("request", ask())
    learned = fields.pop("prices", prices(mean))
    reckon(s, weeks.now, weeks.demand, Yardstick(), SETTINGS)
    return Weigher(request, weeks, learned, **fields).cost(s, unknown)


def weeks_at(now: float, demand: Demand | None = None) -> Weeks:
    demand = demand or Demand()
    return Weeks(demand, SETTINGS, now, demand.at(now))


def weekly_price(s: AccountState, now: float, unknown: float) -> float:
    weeks = weeks_at(now)
    reckon(s, now, weeks.demand, Yardstick(), SETTINGS)
    return weeks.of(s, unknown)


@pytest.mark.parametrize(
    ("given", "cached", "weight"),
    [
        ({}, 0, 28_500),  # 1.25 * 20,000 + 5 * 700
        ({}, 15_000, 11_250),  # .1 * 15,000 + 1.25 * 5,000 + 3,500
        ({}, 90_000, 5_500),  # no more can be warm than is sent
        ({"cache_ttl_s": 3600.0}, 0, 43_500),  # 2 * 20,000 + 3,500
        ({"max_output_tokens": 100}, 0, 25_500),
        ({"model": "claude-opus-5-5"}, 0, 47_500),  # 5 / 3
        ({"model": "claude-haiku-4-5"}, 0, 9_500),  # 1 / 3
        ({"model": "unheard-of"}, 0, 28_500),
    ],
)
def test_a_requests_weight_in_price_weighted_tokens(given, cached, weight):
    assert prices().weight(ask(**given), cached) == pytest.approx(weight)


@pytest.mark.parametrize(
    ("used", "ahead", "price"),
    [
        (0.5, 3.5 * DAY, 1.0),  # an even burn
        (0.8, 6 * DAY, 7.18092),  # exp(3 * (6/7 - .2))
        (0.1, 1 * DAY, 0.103165),  # exp(3 * (1/7 - .9))
        (0.0, 7 * DAY, 1.0),
        (1.0, 7 * DAY, 20.0855),  # exp(3)
        (9.0, 7 * DAY, 403.429),  # clipped at exp(6)
    ],
)
def test_the_weekly_price_follows_its_formula(used, ahead, price):
    s = state(Reading("7d", used, NOW + ahead))
    assert weekly_price(s, NOW, 0.5) == pytest.approx(price, rel=1e-4)


def test_an_unknown_week_counts_as_the_median_half_way_through():  # S6
    assert weekly_price(state(), NOW, 0.7) == pytest.approx(1.822119)  # exp(.6)
    assert weekly_price(state(Reading("7d", 0.2)), NOW, 0.7) == pytest.approx(0.40657)


def test_a_week_that_ended_is_a_whole_new_one():
    s = state(Reading("7d", 0.9, NOW + 5))
    assert weekly_price(s, NOW + 5, 0.5) == pytest.approx(1.0)


def test_the_quota_term_is_the_weekly_price_times_the_relative_weight():
    s = state(Reading("7d", 0.8, NOW + 6 * DAY))
    cost = weigh(s, mean=28_500, request=ask(model="claude-opus-5-5"))
    assert cost.quota == pytest.approx(7.18092 * 5 / 3, rel=1e-4)


@pytest.mark.parametrize(
    ("plan", "in_flight", "term"),
    [("max_20x", 6, 0.5), ("max_20x", 12, 2.0), ("max_5x", 5, 1.05257), ("pro", 2, 0.610323)],
)
def test_congestion_is_the_square_of_load_over_the_plans_limit(plan, in_flight, term):
    s = state(plan=plan)  # L is 12, 6.8922 and 3.6205
    s.in_flight = in_flight
    assert weigh(s).congestion == pytest.approx(term, rel=1e-4)


@pytest.mark.parametrize(
    ("tokens", "ahead", "bonus"),
    [(6_001, 9.0, -50.0), (6_000, 9.0, 0.0), (20_000, 0.0, 0.0), (0, 9.0, -50.0)],
)
def test_more_than_three_tenths_of_a_warm_prefix_is_worth_staying_for(tokens, ahead, bonus):
    assert weigh(state(), warm={"a": Warmth(NOW + ahead, tokens)}).warm == bonus


def test_a_request_of_unknown_size_is_taken_to_extend_what_is_warm():
    cost = weigh(state(), warm={"a": Warmth(NOW + 9, 5_000)}, request=ask(input_tokens=0))
    assert cost.warm == -50.0


def test_warm_tokens_are_read_not_written():
    cost = weigh(state(), mean=28_500, warm={"a": Warmth(NOW + 9, 15_000)})
    assert cost.quota == pytest.approx(11_250 / 28_500)


def test_a_guest_is_sent_home_while_its_home_is_warm():  # S8
    warm = {"a": Warmth(NOW + 9, 20_000), "h": Warmth(NOW + 5, 20_000)}
    assert weigh(state(), warm=warm, home_id="h").warm == -40.0
    assert weigh(state(), warm=warm, home_id="a").warm == -50.0
    assert weigh(state(), warm=warm, home_id="h", now=NOW + 5).warm == -50.0  # the home is cold


@pytest.mark.parametrize(("in_flight", "term"), [(0, -1.0), (11, -1.0), (12, 0.0)])
def test_a_sub_agent_prefers_its_parents_account_while_that_has_slots(in_flight, term):
    s = state()
    s.in_flight = in_flight
    assert weigh(s, parent_id="a").parent == term
    assert weigh(s, parent_id="b").parent == 0.0


@pytest.mark.parametrize(("age", "term"), [(0.0, 4.0), (60.0, 3.2), (300.0, 0.0), (-1.0, 0.0)])
def test_recovery_fades_within_five_minutes_of_un_parking(age, term):
    s = state()
    s.cool(Reason.BILLING, NOW - age)
    assert weigh(s).recovery == pytest.approx(term)


def test_failures_in_a_row_cost_five_each():
    s = state()
    s.health.failures = 2
    assert weigh(s).failures == 10.0


def test_the_total_is_the_sum_of_all_terms():
    assert Cost(1.0, 2.0, 3.0, -50.0, -1.0, -2.0, 4.0, 5.0).total == -38.0


def test_the_mean_weight_is_plain_at_first_and_slow_later():
    found = prices()
    for weight in (100.0, 200.0):
        found.learn_weight(weight)
    assert found.mean == 150.0
    found.seen = 10_000
    found.learn_weight(650.0)
    assert found.mean == pytest.approx(151.0)  # rate .002


def test_answer_lengths_are_learned_per_family():
    found = prices()
    found.learn_output("claude-opus-5-5", TokenUsage(output=1_700))
    found.learn_output("claude-opus-5-5", TokenUsage(output=0))
    assert found.expected_output(ask(model="claude-opus-4-1")) == pytest.approx(750)
    assert found.expected_output(ask()) == 700


def test_invented_families_never_fill_the_memory():  # S19
    found = prices()
    for i in range(1_000):
        found.learn_output(f"{i}", TokenUsage(output=5))
    assert len(found.outputs) == 64


@pytest.mark.parametrize(
    ("room", "term"), [(1e5, 12 * 0.904837), (1e6, 12 * 0.367879), (math.inf, 0.0)]
)
def test_a_session_is_not_begun_where_it_would_outgrow_what_is_left(room, term):
    assert outgrow(room, 1e6, 12.0) == pytest.approx(term, rel=1e-4)
    assert outgrow(room, 0.0, 12.0) == 0.0  # nobody knows yet what a session costs


def test_an_account_whose_short_window_does_not_run_is_opened_rather_than_left():
    s = state(Reading("5h", 0.5, NOW + 10))
    assert weigh(s).opening == 0.0
    assert weigh(s, now=NOW + 10).opening == -SETTINGS.opening_bonus
    assert weigh(state()).opening == 0.0  # unknown is not ended


def test_a_move_can_be_priced_instead_of_the_bonus():
    priced = PoolSettings(move_price=8.0)
    learned = Prices(priced)
    learned.learn_weight(11_500.0)
    cost = weigh(state(), prices=learned, warm={"a": Warmth(NOW + 9, 10_000)})
    assert cost.warm == pytest.approx(-8.0 * 1.15 * 10_000 / 11_500)


def test_a_prefix_past_its_believed_life_draws_its_session_a_little():
    warm = {"a": Warmth(NOW - 60, 20_000, proven=True, since=NOW - 400)}
    assert weigh(state(), warm=warm, home_id="a").warm == -SETTINGS.revisit_bonus
    assert weigh(state(), warm=warm, home_id="b").warm == 0.0


@pytest.mark.parametrize("used", [1.0, 1.02, 1.5, 40.0])
def test_an_account_beyond_full_that_is_still_allowed_is_dear_within_bounds(used):  # S1
    s = state(Reading("7d", used, NOW + DAY, "allowed"))
    s.quota.windows["7d"].slope.per_token = 1e-9
    learned = prices(1_000.0)
    learned.session_work, learned.session_count = 3_400.0, 1.0
    assert weigh(s, prices=learned).outgrow == SETTINGS.outgrow_weight

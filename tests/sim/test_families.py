from datetime import UTC, datetime

import pytest

from maxpool import PoolSettings
from maxpool.core.account import Account
from maxpool.core.family import family_of
from maxpool.sim import families as f
from maxpool.sim.scenario import Turn


def test_the_plans_are_those_the_pool_knows():
    for name, plan in f.PLANS.items():
        account = Account("a", "a", "subscription", plan=name)
        assert account.plan_weight == plan.weight
        assert not account.paid


def test_every_family_owns_known_plans():
    assert all(set(family.plans) <= set(f.PLANS) for family in f.FAMILIES.values())


def test_eight_families_count_as_loaded():
    assert set(f.FAMILIES) - set(f.LOADED) == {"light", "apikey", "longcache"}
    assert len(f.LOADED) == 8


def test_the_kinds_share_all_of_the_work():
    assert sum(habits.share for habits in f.HABITS.values()) == pytest.approx(1.0)


def test_every_model_has_a_price_in_the_pool():
    models = {model for habits in f.HABITS.values() for model, _ in habits.models}
    assert {family_of(model) for model in models} == set(PoolSettings().model_prices)


def test_every_session_begins_below_the_size_at_which_it_is_compacted():
    for habits in f.HABITS.values():
        assert habits.system[1] <= habits.first[0] < habits.first[1] < habits.context_most
        assert habits.system[1] + f.SUMMARY_TOKENS[1] + habits.new.most < habits.context_most


def test_the_profiles_have_an_entry_for_every_hour_and_day():
    assert len(f.OFFICE_HOURS) == len(f.EVENINGS) == 24
    assert len(f.WEEKDAYS) == 7
    begin = datetime.fromtimestamp(f.START_AT, UTC)
    assert (begin.weekday(), begin.hour, begin.minute) == (0, 0, 0)


def test_an_answer_lasts_as_long_as_its_output():
    assert f.lasts_s(Turn(0.0, 0, 0, 100, 1000)) == pytest.approx(2.0 + 14.0)
    assert f.lasts_s(Turn(0.0, 0, 0, 100, 0, 1.5)) == pytest.approx(3.5)

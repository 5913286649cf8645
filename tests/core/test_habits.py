import pytest

from maxpool.core.habits import DAY_S, MAX_MODELS, Habits
from maxpool.core.pool import Pool
from tests.make import NOW, account, ask, lease, pool


def counted(**times: int) -> Habits:
    found = Habits()
    for model, number in times.items():
        for _ in range(number):
            found.count(model, NOW)
    return found


def test_the_most_used_models_come_first_and_equals_by_name():
    assert counted(b=2, a=2, c=5).most_used(NOW, 2) == ("c", "a")


def test_a_week_ago_is_forgotten():
    found = counted(old=3)
    found.count("new", NOW + 7 * DAY_S)
    assert found.most_used(NOW + 7 * DAY_S, 5) == ("new",)


def test_a_day_that_a_clock_set_back_says_is_to_come_is_forgotten():
    found = counted(wrong=3)
    found.count("right", NOW - 30 * DAY_S)
    assert found.most_used(NOW - 30 * DAY_S, 5) == ("right",)


def test_invented_names_are_bounded_and_push_out_the_rarest():
    found = counted(used=9)
    for number in range(3 * MAX_MODELS):
        found.count(f"invented-{number}", NOW)
    assert len(found.today) == MAX_MODELS
    assert found.most_used(NOW, 1) == ("used",)


@pytest.mark.parametrize("name", ["", "x" * 201])
def test_what_is_no_model_is_not_counted(name):
    found = Habits()
    found.count(name, NOW)
    assert found.most_used(NOW, 5) == ()
    assert found.last_at == NOW


def test_each_lease_counts_the_model_the_client_named():
    one = pool("a")
    for _ in range(3):
        lease(one, model="claude-x")
    assert one.habits.totals(NOW) == {"claude-x": 3}


def test_a_restart_remembers_the_week():
    one = pool("a")
    lease(one, model="claude-x")
    again = Pool.restore(one.snapshot(NOW), [account("a")], one.settings, NOW + DAY_S)
    assert again.habits.most_used(NOW + DAY_S, 5) == ("claude-x",)
    assert again.habits.last_at == NOW


def test_a_snapshot_of_before_has_no_habits():
    one = pool("a")
    saved = one.snapshot(NOW)
    del saved["habits"]
    assert Pool.restore(saved, [account("a")], one.settings, NOW).habits.totals(NOW) == {}
    assert ask().model

import pytest

from maxpool.sim.bundles import bundles, dues, least_work, offered, value_of
from tests.sim.handmade import HOUR, SONNET, WEEK, session, turn, world


def test_a_turn_is_worth_what_is_new_in_it_at_its_models_price():
    plan = session(model="claude-opus-5-5")
    worth = value_of(plan, turn(output=10, prefix=50_000, reusable=50_000, new=100))
    assert worth == pytest.approx(5 / 3 * (100 + 50))


def test_at_its_least_a_turn_reads_what_was_sent_before_and_writes_the_rest():
    plan = session(turn())
    sent = turn(output=10, prefix=1000, reusable=800, new=100)
    assert least_work(plan, sent, 300.0) == pytest.approx(0.1 * 800 + 1.25 * 300 + 50)
    long = session(turn(), ttl_s=3600.0)
    assert least_work(long, sent, 3600.0) == pytest.approx(0.1 * 800 + 2.0 * 300 + 50)


def test_after_a_pause_beyond_the_cache_life_only_the_shared_system_prefix_can_be_warm():
    plan = session(turn(), system=300)
    sent = turn(output=0, prefix=1000, reusable=800, new=0, think_s=301.0)
    assert least_work(plan, sent, 300.0) == pytest.approx(0.1 * 300 + 1.25 * 700)


def test_turns_follow_each_other_without_delay_and_may_be_later_by_all_patience_so_far():
    plan = session(turn(output=1000), turn(think_s=10.0), patience_s=600.0, starts_s=100.0)
    scenario = world(plan)
    first, second = dues(plan, scenario)
    assert first.at_s == 100.0
    assert second.at_s == pytest.approx(100.0 + 2.0 + 14.0 + 10.0)
    assert second.latest_s - second.at_s >= 2 * 600.0
    alone = list(dues(plan, scenario, "nominal"))[1]
    assert 600.0 <= alone.latest_s - alone.at_s < 2 * 600.0


def test_nothing_is_offered_or_sent_behind_the_horizon():
    plan = session(turn(), turn(think_s=HOUR), starts_s=WEEK - 60.0, patience_s=HOUR)
    scenario = world(plan)
    assert [due.latest_s for due in dues(plan, scenario)] == [WEEK]
    assert offered(scenario) == 1000.0


def test_turns_of_one_session_and_hour_are_one_bundle():
    plan = session(turn(), turn(think_s=60.0), turn(think_s=2 * HOUR), starts_s=10.0)
    first, second = bundles(world(plan, session(starts_s=20.0)))[:2]
    assert (first.session, first.first, first.value) == (0, 0, 2000.0)
    assert (second.session, second.first, second.value) == (0, 2, 1000.0)
    assert len(bundles(world(plan, session(starts_s=20.0)))) == 3


def flat(bundle):
    return [number for piece in bundle.pieces for number in piece]


def test_the_best_beginning_of_a_bundle_keeps_its_own_price():
    rich, poor = turn(output=200), turn(output=0, new=800, prefix=10_000, reusable=0)
    (bundle,) = bundles(world(session(rich, poor)))
    assert flat(bundle) == pytest.approx([1000, 1000, 13_500, 800])
    assert bundle.largest == pytest.approx(13_500)
    (mixed,) = bundles(world(session(poor, rich)))
    assert flat(mixed) == pytest.approx([14_500, 1800])


def test_long_delays_are_rounded_up_never_down():
    plan = session(patience_s=4.5 * HOUR, model=SONNET)
    (bundle,) = bundles(world(plan))
    assert bundle.last == 4
    (longer,) = bundles(world(session(patience_s=5 * HOUR)))
    assert longer.last == 6

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from maxpool.core.warmth import (
    INTERVALS_S,
    LANE_S,
    MAX_ENTRIES,
    START_S,
    Check,
    Checked,
    WarmState,
    Warmth,
)
from tests.make import NOW

WELL = Checked(ok=True, latency_ms=12.0, free=True)
BADLY = Checked(ok=False, detail="it could not be reached")


def warmth(*targets: str, **given: object) -> Warmth:
    """`a/m` is model m on account a."""
    found = Warmth(**given)  # type: ignore[arg-type]
    found.follow([(t.partition("/")[0], t.partition("/")[2]) for t in targets], NOW)
    return found


def state(found: Warmth, now: float, target: tuple[str, str] = ("a", "m")) -> WarmState:
    return found.entries[target].state(now, found.life_s)


def checked(found: Warmth, now: float, result: Checked = WELL) -> Check:
    check = found.due(now, now)
    assert check is not None
    found.begin(check, now)
    found.ended(check, result, now)
    return check


def test_a_first_check_comes_some_seconds_after_the_start():
    found = warmth("a/m")
    assert found.due(NOW + START_S - 0.01, NOW) is None
    assert found.due(NOW + 2 * START_S, NOW) == Check(account_id="a")


def test_a_target_is_cold_then_warming_then_warm_then_cold_again():
    found, at = warmth("a/m"), NOW + 10
    assert state(found, at) is WarmState.COLD
    check = found.due(at, at)
    assert check is not None
    found.begin(check, at)
    assert state(found, at) is WarmState.WARMING
    found.ended(check, WELL, at)
    assert state(found, at + found.life_s) is WarmState.WARM
    assert state(found, at + found.life_s + 1) is WarmState.COLD


def test_a_free_question_tells_of_all_targets_of_its_account():
    found = warmth("a/m", "a/n", "b/m")
    account_id = checked(found, NOW + 10).account_id
    warm = {t[0] for t, e in found.entries.items() if e.warm_at is not None}
    assert warm == {account_id}


def test_an_answer_to_a_client_makes_a_check_needless():
    found = warmth("a/m")
    found.served("a", NOW + 1)
    assert state(found, NOW + 2) is WarmState.WARM
    assert found.due(NOW + 10, NOW + 10) is None


def test_failures_in_a_row_are_counted_and_make_checks_rarer():
    found, at, gaps = warmth("a/m"), NOW + 10, list[float]()
    for _ in range(7):
        checked(found, at, BADLY)
        gaps.append(found.entries["a", "m"].next_at - at)
        at = found.entries["a", "m"].next_at
    assert gaps == [120.0, 240.0, 480.0, 960.0, 1920.0, 1920.0, 1920.0]
    assert state(found, at) is WarmState.FAILED
    checked(found, at)
    assert found.entries["a", "m"].failures == 0


def test_no_two_checks_are_closer_than_the_lane():
    found = warmth("a/m", "b/m")
    checked(found, NOW + 10)
    assert found.due(NOW + 10 + LANE_S / 2, NOW) is None
    assert found.due(NOW + 10 + LANE_S, NOW) is not None


def test_eco_never_sends_a_message_and_other_modes_only_where_nothing_is_free():
    nothing_free = Checked(ok=True, free=False)
    for mode, message in (("eco", None), ("balanced", "m"), ("aggressive", "m")):
        found = warmth("a/m", mode=mode)
        assert checked(found, NOW + 10, nothing_free).message is None
        again = found.entries["a", "m"].next_at
        assert checked(found, again, nothing_free).message == message


def test_a_provider_that_wants_a_pause_gets_it():
    found = warmth("a/m", mode="aggressive")
    checked(found, NOW + 10, Checked(ok=True, wait_s=600.0))
    assert found.entries["a", "m"].next_at == NOW + 610


def test_a_pool_that_nobody_uses_is_left_alone():
    found = warmth("a/m")
    assert found.due(NOW + 4000, NOW) is None
    assert found.due(NOW + 4000, NOW + 3999) is not None


def test_off_checks_nothing_and_switching_takes_effect_at_once():
    found = warmth("a/m", mode="off")
    assert found.due(NOW + 60, NOW) is None
    found.switch("aggressive", NOW + 60)
    checked(found, NOW + 60)
    assert found.entries["a", "m"].next_at <= NOW + 60 + 1.5 * INTERVALS_S["aggressive"]
    found.switch("off", NOW + 61)
    assert found.due(NOW + 9999, NOW + 9999) is None


def test_a_miss_brings_the_check_forward():
    found = warmth("a/m", "a/n")
    found.missed([("a", "m"), ("gone", "m")], NOW + 0.5)
    assert found.due(NOW + 0.5, NOW) is not None


def test_what_leaves_the_focus_is_forgotten_and_the_rest_is_kept():
    found = warmth("a/m", "b/m")
    found.served("a", NOW)
    found.follow([("a", "m"), ("c", "m")], NOW + 1)
    assert set(found.entries) == {("a", "m"), ("c", "m")}
    assert found.entries["a", "m"].warm_at == NOW


def test_targets_are_bounded():
    assert len(warmth(*(f"{n}/m" for n in range(500))).entries) == MAX_ENTRIES


def test_a_clock_that_is_set_makes_nothing_older():
    found = warmth("a/m")
    found.served("a", NOW)
    found.clock_stepped(-86_400.0)
    assert state(found, NOW - 86_400.0 + 1) is WarmState.WARM


@given(st.integers(2, 20), st.sampled_from(["eco", "balanced", "aggressive"]))
def test_checks_are_spread_over_the_interval_and_come_about_once_in_each(accounts, mode):
    found = warmth(*(f"account-{n}/m" for n in range(accounts)), mode=mode)
    interval_s, now, times = INTERVALS_S[mode], NOW, list[tuple[float, str]]()
    while now < NOW + 40 + 5 * interval_s:
        check = found.due(now, now)
        if check is not None:
            found.begin(check, now)
            found.ended(check, WELL, now)
            times.append((now, check.account_id))
        now += 0.05 * interval_s / 10
    gaps = [b - a for (a, _), (b, _) in pairwise(times)]
    assert min(gaps) >= LANE_S
    late = NOW + 40 + interval_s
    per_account = Counter(account for at, account in times if at > late)
    assert set(per_account.values()) <= {3, 4, 5}

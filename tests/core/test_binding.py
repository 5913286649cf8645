"""Where a session is at home, where its prefix is warm, and what its moves mean."""

from __future__ import annotations

from maxpool import (
    ClientGone,
    Command,
    NetworkFailure,
    Pool,
    QuotaExceeded,
    Success,
    TokenUsage,
    TransientFailure,
)
from maxpool.core.binding import Bindings, session_key
from maxpool.core.settings import PoolSettings
from tests.make import DAY, HOUR, NOW, account, ask, lease, pool, unified

ANSWER = Success(TokenUsage(100, 500, 19_000, 900, 0))


def turn(p: Pool, now: float, session: str | None = "s", outcome=ANSWER, **given) -> str:
    """One turn of a session; returns the account that carried it."""
    taken = lease(p, now, session, **given)
    p.release(taken, outcome, now)
    return taken.account_id


def dear(p: Pool, name: str, now: float = NOW) -> None:
    """Make an account's week much dearer than any other's."""
    p.observe(name, unified(seven=0.99, seven_reset=now + 6.9 * DAY), now)


def test_a_session_that_moved_by_need_comes_back_while_its_home_is_warm():  # S8
    p = pool("a", "b")
    home = turn(p, NOW)
    turn(p, NOW + 1, outcome=NetworkFailure())  # five seconds aside
    taken = lease(p, NOW + 2, "s")
    assert (taken.account_id != home, taken.decision.rebind) == (True, "need")
    p.release(taken, ANSWER, NOW + 3)
    assert [turn(p, NOW + 7 + i) for i in range(3)] == [home] * 3


def test_a_session_whose_home_went_cold_stays_where_it_is():  # S8
    p = pool("a", "b")
    home = turn(p, NOW)
    p.release(
        lease(p, exclude=frozenset({"a", "b"} - {home})), QuotaExceeded("5h", NOW + HOUR), NOW
    )
    guests = {turn(p, NOW + 100 * i) for i in range(1, 40)}
    assert guests == {"a", "b"} - {home}
    assert p.bindings.by_key["s"].home in guests


def test_a_session_that_moves_by_choice_has_a_new_home():  # S8
    p = pool(account("a", priority=1), account("b", priority=0, enabled=False))
    turn(p, NOW)
    p.command(Command("enable", "b"), NOW + 1)
    taken = lease(p, NOW + 1, "s")
    assert (taken.account_id, taken.decision.rebind) == ("b", "choice")
    assert p.bindings.by_key["s"].home == "b"


def test_a_cheaper_account_alone_never_moves_a_warm_session():  # S8
    p = pool("a", "b")
    home = turn(p, NOW)
    dear(p, home)
    assert [turn(p, NOW + 10 * i) for i in range(1, 6)] == [home] * 5


def test_a_cold_session_is_placed_freely():  # S8
    p = pool("a", "b")
    home = turn(p, NOW)
    dear(p, home)
    taken = lease(p, NOW + 301, "s")
    assert taken.account_id != home
    assert p.view(NOW + 301).moves == 0  # nothing warm was thrown away


def test_moving_counts_the_cache_it_throws_away():  # S8
    p = pool("a", "b")
    home = turn(p, NOW)
    p.command(Command("disable", home), NOW)
    turn(p, NOW + 10)
    view = p.view(NOW + 10)
    assert (view.moves, view.cache_tokens_lost) == (1, 20_000)


def test_sub_agents_may_spread_while_the_main_thread_stays():  # S10
    p = pool("a", "b", "c", home_wait_s=0.0)
    home = turn(p, NOW)
    agents = [lease(p, NOW + 1, "s", agent=f"agent-{i}") for i in range(40)]
    assert {one.account_id for one in agents} == {"a", "b", "c"}
    assert agents[0].account_id == home  # its system prefix may be warm there
    assert turn(p, NOW + 2) == home


def test_each_sub_agent_keeps_its_own_prefix():  # S10
    p = pool("a", "b", "c")
    first = {i: lease(p, NOW, "s", agent=f"{i}") for i in range(9)}
    for one in first.values():
        p.release(one, ANSWER, NOW + 1)
    again = {i: turn(p, NOW + 2, agent=f"{i}") for i in range(9)}
    assert again == {i: one.account_id for i, one in first.items()}


def test_an_excluded_home_is_left_by_need_not_by_choice():
    p = pool("a", "b")
    home = turn(p, NOW)
    turn(p, NOW + 1, outcome=TransientFailure(500))
    moved = lease(p, NOW + 1, "s", exclude=frozenset({home}))
    assert moved.decision.rebind == "need"
    p.release(moved, ANSWER, NOW + 2)
    assert turn(p, NOW + 3) == home


def test_a_first_turn_that_failed_over_moved_by_need():
    p = pool("a", "b")
    first = turn(p, NOW, outcome=TransientFailure(500))
    moved = lease(p, NOW + 1, "s", exclude=frozenset({first}))
    assert (moved.decision.rebind, p.bindings.by_key["s"].home) == ("need", moved.account_id)


def test_nothing_is_warm_where_a_request_was_never_answered():
    p = pool("a", "b", "c")
    home = turn(p, NOW)
    other = turn(p, NOW + 1, outcome=TransientFailure(500), exclude=frozenset({home}))
    assert set(p.bindings.by_key["s"].warm) == {home}
    assert turn(p, NOW + 2, exclude=frozenset({home})) != other


def test_a_failure_takes_no_warmth_that_an_answer_proved():
    p = pool("a", "b")
    home = turn(p, NOW)
    for outcome in (TransientFailure(500), ClientGone(), Success()):
        assert turn(p, NOW + 1, outcome=outcome) == home
    assert p.bindings.by_key["s"].warm[home].tokens == 20_000


def test_an_answer_tells_what_the_cache_really_holds():
    p = pool("a")
    turn(p, NOW, outcome=Success(TokenUsage(10, 5, 600, 300, 90)))
    warmth = p.bindings.by_key["s"].warm["a"]
    assert (warmth.tokens, warmth.until) == (1_000, NOW + 300)


def test_a_session_moved_by_a_person_goes_there_and_stays():
    p = pool("a", "b")
    home = turn(p, NOW)
    other = "b" if home == "a" else "a"
    dear(p, other)
    assert p.command(Command("move_session", other, "s"), NOW + 1)
    assert [turn(p, NOW + 2 + i) for i in range(3)] == [other] * 3


def test_a_removed_account_leaves_no_home_and_no_warmth_behind():  # S12
    p = pool("a", "b")
    home = turn(p, NOW)
    other = turn(p, NOW + 1, exclude=frozenset({home}))
    p.remove(home, NOW + 2)
    assert set(p.bindings.by_key["s"].warm) == {other}
    assert p.bindings.by_key["s"].home == other
    p.remove(other, NOW + 2)
    assert not p.bindings.by_key


def test_bindings_are_bounded_in_number_and_the_latest_stay():  # S19
    p = pool("a", max_bindings=3)
    for i in range(10):
        turn(p, NOW + i, f"s{i}")
        turn(p, NOW + i, "often")
    assert list(p.bindings.by_key) == ["s8", "s9", "often"]


def test_bindings_are_bounded_in_age():  # S19
    b = Bindings(PoolSettings(binding_age_s=DAY))
    for i in range(5):
        b.bind(ask(f"s{i}"), "a", NOW + i, home_could_serve=True)
    assert b.find("s1", NOW + DAY + 2) is None
    b.bind(ask("new"), "a", NOW + DAY + 3, home_could_serve=True)
    assert list(b.by_key) == ["s3", "s4", "new"]


def test_warmth_is_bounded_and_the_homes_goes_last():  # S19
    b = Bindings(PoolSettings(max_warm_per_session=2))
    for name in ("home", "b", "c", "d"):
        b.bind(ask("s"), name, NOW, home_could_serve=False)
    assert set(b.by_key["s"].warm) == {"home", "d"}


def test_a_request_without_a_session_binds_nothing():
    assert session_key(ask(None, agent="x")) is None
    p = pool("a")
    turn(p, NOW, None)
    assert not p.bindings.by_key


def test_a_successor_is_at_home_and_warm_where_the_account_before_it_was():
    p = pool(account("old", priority=0), account("new", priority=1))
    assert turn(p, NOW) == "old"
    p.succeed("old", "new", NOW + 1)
    binding = p.bindings.by_key["s"]
    assert (binding.home, binding.current, list(binding.warm)) == ("new", "new", ["new"])
    assert [s.tally.total.requests for s in p.states.values()] == [0, 1]
    p.succeed("old", "gone", NOW + 1)
    assert binding.home == "new"

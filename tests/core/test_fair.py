"""Turns by tokens: rounds, what is remembered, and the bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from maxpool.core.fair import Branch, Order, Party, Round


def serve(round_: Round, tokens: dict[str, float], times: int) -> list[str]:
    """Serve whose turn it is; everybody waits all the time."""
    served = []
    for _ in range(times):
        party = round_.order.first()
        assert party is not None
        (name,) = [n for n, p in round_.parties.items() if p is party]
        round_.charge(party, tokens[str(name)])
        served.append(str(name))
    return served


def entered(quantum: float, *names: str) -> Round:
    round_ = Round(quantum)
    for name in names:
        round_.enter(name)
    return round_


def test_equals_take_turns_in_the_order_they_came():
    assert serve(entered(10, "a", "b", "c"), {"a": 5, "b": 5, "c": 5}, 6) == list("abcabc")


def test_turns_are_of_tokens_not_of_requests():
    served = serve(entered(10, "big", "small"), {"big": 60, "small": 20}, 8)
    assert (served.count("big"), served.count("small")) == (2, 6)


def test_a_newcomer_stands_at_the_end_of_the_round_but_at_most_a_quantum_behind():
    round_ = entered(30, "a", "b")
    serve(round_, {"a": 10, "b": 10}, 1)
    assert round_.enter("c").at == 10
    round_.charge(round_.parties["a"], 500)
    assert round_.enter("d").at == 30


def test_a_stream_of_newcomers_does_not_hold_up_who_waits():  # Q5
    round_ = entered(30, "a", "b")
    round_.charge(round_.parties["a"], 90)
    for i in range(99):
        party = round_.order.first()
        assert party is not None
        if party is round_.parties["a"]:
            break
        round_.charge(party, 10)
        if party is not round_.parties["b"]:
            round_.leave(party)
        round_.enter(f"new {i}")
    assert i < 60


def test_who_comes_back_has_not_become_new_by_leaving():
    round_ = entered(30, "a", "b")
    gone = round_.parties["a"]
    round_.charge(gone, 90)
    round_.leave(gone)
    assert round_.enter("a").at == 90


def test_when_nobody_waits_everything_is_forgotten():  # S19
    round_ = entered(30, "a")
    round_.charge(round_.parties["a"], 90)
    round_.leave(round_.parties["a"])
    assert not round_.parties
    assert round_.enter("a").at == 0


def test_who_could_not_be_served_for_long_gets_no_credit_for_it():  # Q1
    round_ = entered(30, "blocked", "served")
    for _ in range(100):
        round_.charge(round_.parties["served"], 10)
    lag = round_.parties["served"].at - round_.parties["blocked"].at
    assert lag <= 40


def test_parties_that_went_are_forgotten_in_time():  # S19
    round_ = entered(30, "stays")
    for i in range(5_000):
        party = round_.enter(f"s{i}")
        round_.charge(party, 10)
        round_.leave(party)
    assert len(round_.parties) < 100
    assert len(round_.order.heap) < 100


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 50)), min_size=2, max_size=60),
    st.integers(1, 60),
)
def test_nobody_gets_more_than_a_quantum_and_a_largest_request_ahead(asked, quantum):  # Q5
    round_ = Round(float(quantum))
    left: dict[str, list[int]] = {}
    for name, tokens in asked:
        left.setdefault(name, []).append(tokens)
    parties = {name: round_.enter(name) for name in left}
    got = dict.fromkeys(left, 0)
    while len(left) > 1:
        party = round_.order.first()
        (name,) = [n for n in left if parties[n] is party]
        tokens = left[name].pop(0)
        round_.charge(parties[name], tokens)
        got[name] += tokens
        ahead = max(got[n] for n in left) - min(got[n] for n in left)
        assert ahead <= quantum + 50
        if not left[name]:
            del left[name]
            round_.leave(parties[name])


def test_an_order_is_put_right_where_somebody_looks():
    order: Order[Party] = Order()
    one, two = Party(1.0, 1, waiting=1), Party(2.0, 2, waiting=1)
    order.add(one)
    order.add(two)
    one.start = 3.0
    assert order.take() is two
    one.waiting = 0
    assert order.first() is None


def test_a_branch_gives_its_waiters_by_party_and_age():
    tree, key = Branch(Party(0, 0)), Party(0, 1, waiting=3)
    first, second = Party(5, 1, waiting=2), Party(9, 2, waiting=1)
    for session, number in ((first, 7), (second, 1), (first, 3)):
        tree.add((key, session), number)
    found = []
    for session in (first, first, second):
        waiter = tree.first()
        assert waiter is not None
        found.append(waiter)
        tree.remove((key, session), waiter)
    assert found == [3, 7, 1]
    assert tree.first() is None

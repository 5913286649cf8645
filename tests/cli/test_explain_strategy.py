from __future__ import annotations

import pytest

from maxpool.cli.explain_strategy import COST, SAYS, by_strategy
from maxpool.core.strategy import STRATEGIES

NOW = 1_790_000_000.0


def test_every_strategy_but_cost_has_words_of_its_own():
    assert set(SAYS) == set(STRATEGIES) - {COST}
    for name in SAYS:
        assert by_strategy(name, {}, 3, NOW).startswith(f"{name}: ")
        assert "of 3" in by_strategy(name, {}, 3, NOW)


def test_a_strategy_of_a_newer_server_is_named():
    assert by_strategy("newest", {}, 3, NOW) == "that is what the strategy newest says"


@pytest.mark.parametrize(
    ("strategy", "winner", "said"),
    [
        ("least-used", {"week_used": 0.12}, "it has used 12 % of its week, the least of 3"),
        ("least-used", {"week_used": None}, "is unknown and counts as half, the least of 3"),
        ("drain-soonest", {"week_ends_at": NOW + 7200}, "its week ends first of 3, in 2 h"),
        ("sticky", {"own": True, "in_flight": 4}, "the session is there already"),
        ("sticky", {"own": False, "in_flight": 4}, "it is the least busy of 3 (4 running)"),
    ],
)
def test_the_number_that_told_is_said_where_it_is_known(strategy, winner, said):
    assert said in by_strategy(strategy, winner, 3, NOW)

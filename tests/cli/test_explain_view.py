from __future__ import annotations

from typing import Any

import pytest

from maxpool.cli.explain_view import ALONE, explained, told, why
from maxpool.cli.tables import Table, plain
from maxpool.core.cost import Cost
from maxpool.core.eligibility import Reason

NOW = 1_790_000_000.0
ORDER = {"preferred": False, "priority": 0, "key": False, "tier": 0}


def candidate(name: str, chosen: bool = False, order: Any = None, **terms: float) -> dict[str, Any]:
    cost = {**Cost()._asdict(), **terms}
    return {
        "account": name,
        "account_id": f"a-{name}",
        "chosen": chosen,
        "cost": cost,
        "total": sum(cost.values()),
        "order": {**ORDER, **(order or {})},
    }


def choice(*candidates: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"strategy": "cost", "candidates": list(candidates), **more}


def one_try(*candidates: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "lease": "l-1",
        "account": candidates[0]["account"],
        "at": NOW,
        "ended_at": NOW + 1.5,
        "outcome": "success",
        "waited_s": 0.0,
        "unavailable": {},
        "rebind": None,
        "lost_tokens": 0,
        "move_cost": 0.0,
        **choice(*candidates),
        **more,
    }


def request(*tries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "request_id": "r1",
        "at": NOW,
        "model": "claude-sonnet-5-5",
        "session": "s1",
        "program": "claude-code",
        "input_tokens": 12_000,
        "status": 200,
        "took_s": 1.5,
        "waited_s": 0.0,
        "tries": list(tries),
        "refusal": None,
        **more,
    }


def text(parts: list[str | Table]) -> str:
    return "\n".join(p if isinstance(p, str) else "\n".join(plain(p)) for p in parts)


@pytest.mark.parametrize(
    ("own", "other", "said"),
    [
        ({"warm": -50.0}, {}, "its prompt cache is warm for this session (-50)"),
        (
            {"quota": 0.2},
            {"quota": 1.5},
            "its weekly quota is cheaper than that of b (0.20 against",
        ),
        ({}, {"congestion": 2.0}, "it is less busy than b (0 against 2)"),
        ({}, {"failures": 5.0}, "b has just failed"),
        ({}, {"recovery": 4.0}, "b has only just come back"),
        ({}, {"outgrow": 4.0}, "b may run out of quota under the sessions"),
        ({"parent": -1.0}, {}, "the agent's parent runs there"),
        ({"prefix": -0.3}, {}, "the same system prompt cached there"),
        ({}, {}, "it costs as much as b and has rested longer"),
    ],
)
def test_the_term_that_told_is_said_in_words(own, other, said):
    assert said in why(choice(candidate("a", True, **own), candidate("b", **other)))


def test_every_term_of_the_cost_has_words():
    for term in Cost._fields:
        told_why = why(choice(candidate("a", True, **{term: -9.0}), candidate("b")))
        assert f"its {term} is lower" not in told_why, term


def test_two_terms_are_said_when_both_told():
    found = choice(candidate("a", True), candidate("b", quota=2.0, congestion=1.0))
    assert " and it is less busy" in why(found)


def test_how_much_of_the_prefix_is_cached_is_said_where_it_is_known():
    winner = {**candidate("a", True, warm=-50.0), "cached_share": 0.834}
    assert "holds 83 % of this session's prefix (-50)" in why(choice(winner, candidate("b")))


@pytest.mark.parametrize(
    ("own", "other", "said"),
    [
        ({"preferred": True}, {}, "you prefer it"),
        ({"priority": 1}, {"priority": 2}, "its priority 1 comes before 2 of b"),
        ({}, {"key": True}, "paid for already"),
        ({"tier": 0}, {"tier": 3}, "its tier 0 comes before 3"),
    ],
)
def test_what_the_owner_decided_comes_before_any_cost(own, other, said):
    found = choice(candidate("a", True, own, quota=9.0), candidate("b", False, other, warm=-50.0))
    assert said in why(found)
    table = text(told(request(one_try(*found["candidates"]))))
    assert "BEFORE COST" in table


def test_alone_it_needs_no_other_reason():
    alone = choice(candidate("a", True))
    assert why(alone, whole=True) == "no other account can serve"
    assert why(alone) == ALONE
    assert why(choice(candidate("a", True, {"preferred": True}))) == "you prefer it"


def test_another_strategy_says_its_own_word_and_the_costs_are_for_information():
    rivals = [candidate("b"), candidate("c"), candidate("d", False, {"priority": 1})]
    winner = {**candidate("a", True, quota=9.0), "week_used": 0.12}
    found = explanation(strategy="least-used", candidates=[winner, *rivals])
    shown = explained(found)
    assert shown[0] == (
        "a would be chosen: least-used: it has used 12 % of its week, the least of 3."
    )
    assert "The costs are for information only: the strategy is least-used." in shown
    assert "for information" not in text(explained(explanation()))


def test_after_a_failed_try_it_says_who_was_tried():
    first = one_try(candidate("a", True), candidate("b"), outcome="overloaded")
    shown = text(told(request(first, one_try(candidate("b", True)))))
    assert f"Try 2 of 2: b, because a had been tried, and {ALONE}." in shown
    again = text(told(request(first, one_try(candidate("a", True)))))
    assert f"Try 2 of 2: a, because {ALONE}." in again


def test_one_try_is_a_sentence_and_a_table_of_the_terms_that_matter():
    shown = told(
        request(one_try(candidate("max-2", True, warm=-50.0), candidate("max-1", quota=1.0)))
    )
    assert shown[0] == "max-2 was chosen: its prompt cache is warm for this session (-50)."
    (table,) = [part for part in shown if isinstance(part, Table)]
    assert table.head == ("CANDIDATE", "QUOTA", "WARM", "TOTAL")
    assert table.marked == 0
    assert "It ended with success after 1.5 s." in shown


def test_several_tries_are_told_one_by_one():
    first = one_try(candidate("a", True), outcome="transient_failure")
    second = one_try(candidate("b", True), waited_s=2.0)
    shown = text(told(request(first, second)))
    assert shown.startswith("b answered after 1.5 s; tried before: a (transient failure).")
    assert "Try 1 of 2: a, because" in shown
    assert "After 2.0 s in the queue: it ended with success" in shown


def test_a_refusal_tells_the_reasons_by_number():
    refusal = {
        "reason": "quota",
        "retry_at": NOW + 3600,
        "detail": "quota",
        "counts": {"disabled": 1, "quota": 3},
    }
    shown = text(told(request(status=429, refusal=refusal)))
    assert shown.startswith("No account was asked: quota; the caller got 429")
    assert "the soonest recovery was 1 h away" in shown
    assert "Could not serve: 3 quota, 1 disabled." in shown


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"status": None}, "waits for an account"),
        ({"status": 0}, "the caller left"),
        ({"tries": [{"lease": "l", "account": None, "forgotten": True}]}, "too long ago"),
    ],
)
def test_a_request_without_a_decision_is_told_as_well(given, said):
    assert said in text(told(request(**given)))


def test_nobody_answered_and_the_last_try_is_named():
    tries = [one_try(candidate(n, True), outcome="overloaded") for n in "ab"]
    shown = told(request(*tries, status=503))
    assert str(shown[0]).startswith("Nobody could answer, the caller got 503")


def explanation(**more: Any) -> dict[str, Any]:
    return {
        "at": NOW,
        "strategy": "cost",
        "chosen": "a",
        "waits_for": None,
        "candidates": [candidate("a", True), candidate("b", quota=3.0)],
        "unavailable": [
            {"account": "c", "reason": "quota", "until": NOW + 7200},
            {"account": "d", "reason": "disabled", "until": None},
            {"account": "e", "reason": "quota", "until": NOW + 60},
        ],
        "counts": {"quota": 2, "disabled": 1},
        "home": None,
        "rebind": None,
        "lost_tokens": 0,
        "move_cost": 0.0,
        **more,
    }


def test_what_would_happen_now_names_winner_candidates_and_all_others_by_reason():
    shown = explained(explanation())
    assert str(shown[0]).startswith("a would be chosen: its weekly quota is cheaper")
    rows = [part.rows for part in shown if isinstance(part, Table)][1]
    assert rows == (("quota", "e", "1 min"), ("quota", "c", "2 h"), ("disabled", "d", ""))


@pytest.mark.parametrize(
    ("waits", "said"),
    [
        (True, "It would wait, for 2 h: no account can serve this now (quota)."),
        (False, "It would be refused: no account can serve this now (quota)."),
    ],
)
def test_when_nobody_can_serve_it_says_what_for(waits, said):
    found = explanation(
        chosen=None,
        candidates=[],
        waits_for={"reason": "quota", "until": NOW + 7200 if waits else None, "waits": waits},
    )
    assert said in str(explained(found)[0])


@pytest.mark.parametrize("reason", ["paused", "queued", "key_price", "home_busy", "throttle"])
def test_a_wait_beside_open_accounts_is_not_told_as_if_there_were_none(reason):
    waits = {"reason": reason, "until": NOW + 15, "waits": True}
    found = explanation(chosen=None, waits_for=waits, candidates=[candidate("a")])
    assert str(explained(found)[0]).startswith("It would wait, for 15 s: ")
    assert Reason(reason) in Reason


def test_a_large_pool_is_cut_to_what_can_be_read():
    many = [candidate(f"c{n}", n == 0, quota=float(n)) for n in range(50)]
    shown = explained(explanation(candidates=many))
    assert "... and 30 more that cost more." in shown


def test_a_move_says_what_it_leaves_behind():
    found = explanation(home="b", rebind="choice", lost_tokens=15_000, move_cost=1.25)
    assert "15,000 cached tokens" in text(explained(found))


def test_reasons_are_words():
    for reason in Reason:
        found = explanation(
            chosen=None, candidates=[], waits_for={"reason": reason, "until": None, "waits": True}
        )
        assert "_" not in str(explained(found)[0])


def test_a_clients_own_login_is_named_rather_than_its_priority():
    first, last = ({"priority": n} for n in (-1_000_001, 1_000_001))
    assert "client's own login, and that comes first" in why(
        choice(candidate("a", True, first), candidate("b"))
    )
    assert "b is the client's own login, and that comes last" in why(
        choice(candidate("a", True), candidate("b", False, last))
    )
    found = explanation(candidates=[candidate("a", True, first), candidate("b")])
    assert "own login" in text(explained(found))

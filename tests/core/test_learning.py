"""What the end of a lease teaches, and what it must not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maxpool import (
    AuthFinal,
    Burst,
    ClientGone,
    Cut,
    Internal,
    NetworkFailure,
    Overloaded,
    Pool,
    RequestRejected,
    Success,
    TokenUsage,
    TransientFailure,
)
from maxpool.config.prices import shipped
from maxpool.core.learning import settle_unobserved
from maxpool.core.settings import PoolSettings
from maxpool.core.throttle import Throttle
from tests.make import HOUR, MODEL, NOW, account, key, lease, pool, unified

USED = TokenUsage(input=10, output=1_700, cache_read=900, cache_write_5m=90)


def ended(outcome) -> Pool:
    p = pool("a")
    p.release(lease(p, session="s"), outcome, NOW + 2)
    return p


@pytest.mark.parametrize(
    ("outcome", "failed", "tokens"),
    [
        (Success(USED), 0, 1_700),
        (Cut(USED), 1, 1_700),  # R17: an interrupted stream counts what it saw
        (ClientGone(USED), 0, 1_700),
        (RequestRejected(400), 0, 0),
        (TransientFailure(500), 1, 0),
        (NetworkFailure(), 1, 0),
    ],
)
def test_every_ended_lease_is_counted_once(outcome, failed, tokens):
    total = ended(outcome).view(NOW + 2).accounts[0].total
    assert (total.requests, total.failed, total.tokens_out) == (1, failed, tokens)


def test_our_own_failure_is_not_on_the_accounts_record():  # S24
    account = ended(Internal()).view(NOW + 2).accounts[0]
    assert (account.total.requests, account.last_error) == (0, None)


@pytest.mark.parametrize("outcome", [Success(USED), Cut(USED), ClientGone(USED)])
def test_what_was_read_before_the_end_is_warm(outcome):
    warmth = ended(outcome).bindings.by_key["s"].warm["a"]
    assert (warmth.tokens, warmth.until, warmth.proven) == (1_000, NOW + 302, True)


def test_cost_is_counted_with_the_tokens_and_kept_apart_by_who_said_it():
    p = pool(key("k"), price_table=shipped())
    p.release(lease(p), Success(replace(USED, cost_usd=0.25)), NOW + 2)
    p.release(lease(p), Success(USED), NOW + 2)
    total = p.view(NOW + 2).accounts[0].total
    estimate = (10 + 1_700 * 5 + 900 * 0.1 + 90 * 1.25) * 3e-6
    assert total.cost_usd == pytest.approx(0.25 + estimate)
    assert total.told_usd == 0.25
    assert total.told_estimate_usd == pytest.approx(estimate)


def test_a_client_that_left_before_any_answer_proves_no_warmth():
    assert not ended(ClientGone()).bindings.by_key["s"].warm["a"].proven


@pytest.mark.parametrize("outcome", [TransientFailure(500), NetworkFailure(), Overloaded(MODEL)])
def test_nothing_got_warm_by_a_request_that_was_not_answered(outcome):
    assert not ended(outcome).bindings.by_key["s"].warm


def test_only_whole_answers_teach_their_length():
    assert ended(Success(USED)).prices.outputs == {"sonnet": 750.0}
    assert not ended(Cut(USED)).prices.outputs


def test_the_last_error_names_the_outcome_and_never_a_text_of_the_request():  # O6
    error = ended(AuthFinal("revoked")).view(NOW + 2).accounts[0].last_error
    assert error is not None
    assert (error.kind, error.at, error.message) == ("auth_final", NOW + 2, "reason=revoked")
    assert ended(RequestRejected(400)).view(NOW).accounts[0].last_error is None


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Success(), "closed"),
        (Cut(), "closed"),
        (RequestRejected(422), "closed"),
        (Overloaded("m"), "failed"),
        (ClientGone(), "handed on"),
        (TransientFailure(500), "handed on"),
    ],
)
def test_without_headers_only_a_proof_settles_a_probe(outcome, state):
    throttle = Throttle(PoolSettings())
    throttle.open("anthropic m", "f", NOW)
    throttle.probe("anthropic", "m", "lease", NOW)
    settle_unobserved(throttle, "lease", outcome, NOW + 30)
    pause = throttle.pauses.get("anthropic m")
    found = "closed" if pause is None else "failed" if pause.failed_probes else "handed on"
    assert (found, pause is None or pause.probe is None) == (state, True)


WHOLE = TokenUsage(input=10, output=200, cache_read=15_000, cache_write_5m=4_000)


@pytest.mark.parametrize(
    "outcome",
    [
        Success(WHOLE),
        Success(),
        Cut(WHOLE),
        ClientGone(),
        Internal(),
        Burst(2.0),
        TransientFailure(500),
        NetworkFailure("reset"),
        RequestRejected(400),
    ],
)
@pytest.mark.parametrize("told", [False, True])
def test_what_a_lease_reserved_is_given_back_however_it_ends(outcome, told):
    p = pool("a")
    one, other = lease(p, NOW, "s"), lease(p, NOW, "t")
    quota = p.states["a"].quota
    assert quota.reserved == pytest.approx(2 * 28_500)
    if told:  # its headers came: from then on it counts as burned
        p.observe("a", unified(five=0.1, seven=0.1), NOW, lease=one, status=200)
        assert quota.reserved == pytest.approx(28_500)
        assert quota.spent == pytest.approx(28_500)
    p.release(one, outcome, NOW + 1)
    assert quota.reserved == pytest.approx(28_500)
    p.release(other, Internal(), NOW + 1)
    assert quota.reserved == 0.0


def test_an_answers_own_numbers_replace_what_was_thought():
    p = pool("a")
    one = lease(p, NOW, "s")
    p.observe("a", unified(five=0.1), NOW, lease=one, status=200)
    p.release(one, Success(WHOLE), NOW + 1)
    # 10 + .1 * 15,000 + 1.25 * 4,000 + 5 * 200
    assert p.states["a"].quota.spent == pytest.approx(7_510)


def test_a_failed_request_burned_nothing():
    p = pool("a")
    p.release(lease(p), TransientFailure(500), NOW)
    assert p.states["a"].quota.spent == 0.0


def test_readings_teach_each_account_and_the_yardstick_of_its_plan():
    p = pool("a", account("b", plan="max_5x"))
    work = 0.0
    for i in range(40):
        one = lease(p, NOW + i, f"s{i}", exclude=frozenset("b"))
        p.observe("a", unified(five=round(work * 1e-6, 2)), NOW + i, lease=one, status=200)
        p.release(one, Success(WHOLE), NOW + i)
        work += 7_510
    slope = p.states["a"].quota.windows["5h"].slope
    assert slope.per_token == pytest.approx(1e-6, rel=0.15)
    assert p.index.yardstick.expected("5h", 5.0) == pytest.approx(4e-6, rel=0.15)


def test_a_session_that_comes_back_teaches_how_long_its_cache_lived():
    p = pool("a")
    at = NOW
    for i in range(4):
        one = lease(p, at, "s")
        p.release(one, Success(TokenUsage(5, 100, 20_000 if i else 0, 0 if i else 20_000)), at)
        at += 1_700.0
    assert p.bindings.lives.life("a", 300.0) == pytest.approx(1_700.0)


def test_a_prefix_that_shrank_tells_nothing_of_the_caches_life():
    p = pool("a")
    p.release(lease(p, NOW, "s"), Success(TokenUsage(5, 100, 0, 90_000)), NOW)
    for i in range(3):
        one = lease(p, NOW + 10 + i, "s", input_tokens=9_000)
        p.release(one, Success(TokenUsage(9_000, 100)), NOW + 10 + i)
        p.bindings.by_key["s"].warm["a"].tokens = 90_000
    assert p.bindings.lives.life("a", 300.0) == 300.0


def test_a_week_of_work_sets_the_demand_clock():
    p = pool("a")
    for hour in range(30):
        at = NOW + hour * HOUR
        p.release(lease(p, at, f"s{hour}"), Success(WHOLE), at)
    assert sum(w is not None and w > 0 for w in p.index.demand.learned) == 29
    assert p.index.demand.version == 29


def test_what_a_session_costs_is_a_running_mean():
    p = pool("a")
    for i in range(3):
        for turn in range(4):
            at = NOW + 10 * i + turn
            p.release(lease(p, at, f"s{i}"), Success(WHOLE), at)
    assert p.prices.session_mean == pytest.approx(4 * 7_510, rel=0.02)


def test_clients_without_a_prompt_cache_teach_nothing_of_its_life():
    p = pool("a")
    for i in range(5):
        one = lease(p, NOW + 30 * i, "s")
        p.release(one, Success(TokenUsage(20_000, 100)), NOW + 30 * i)
    assert p.bindings.lives.life("a", 300.0) == 300.0


def test_a_session_that_came_back_before_it_left_teaches_nothing():
    p = pool("a")
    for at in (NOW, NOW - 2 * HOUR, NOW - 4 * HOUR):  # the clock is set back
        p.release(lease(p, at, "s"), Success(TokenUsage(5, 100, 0, 20_000)), at)
    assert p.bindings.lives.life("a", 300.0) == 300.0


def test_a_slot_is_given_back_even_where_learning_fails():  # R12
    p = pool("a")
    one = lease(p)
    p.prices.outputs["sonnet"] = None  # type: ignore[assignment]
    with pytest.raises(TypeError):
        p.release(one, Success(WHOLE), NOW)
    assert (p.states["a"].in_flight, p.plan_in_flight, len(p.running)) == (0, 0, 0)

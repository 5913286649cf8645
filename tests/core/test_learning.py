"""What the end of a lease teaches, and what it must not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maxpool import (
    AuthFinal,
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
from maxpool.core.learning import settle_unobserved
from maxpool.core.settings import PoolSettings
from maxpool.core.throttle import Throttle
from tests.make import MODEL, NOW, key, lease, pool

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
    p = pool(key("k"))
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

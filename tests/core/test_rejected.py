"""core/rejected: what an account turned down, and nobody is to blame for."""

from __future__ import annotations

import pytest

from maxpool.core.rejected import (
    OF_THE_REQUEST,
    ContextExceeded,
    NotCarried,
    PolicyRefused,
    RequestRejected,
)
from tests.make import NOW, lease, pool, reason_of

BLAMELESS = [RequestRejected(400), ContextExceeded(400), PolicyRefused(400), NotCarried("sound")]


@pytest.mark.parametrize("outcome", BLAMELESS)
def test_what_the_request_brought_on_itself_leaves_its_account_as_it_was(outcome):  # R5, P3, P7
    p = pool("a")
    for _ in range(9):
        p.release(lease(p), outcome, NOW)
    state = p.states["a"]
    assert reason_of(p, "a") is None
    assert (state.health.failures, state.last_error, state.tally.total.failed) == (0, None, 0)


@pytest.mark.parametrize(
    "outcome", [RequestRejected(400), ContextExceeded(400), PolicyRefused(400)]
)
def test_it_is_an_answer_and_so_the_account_works_again(outcome):
    p = pool("a")
    p.states["a"].health.failures = 2
    p.release(lease(p), outcome, NOW)
    assert p.states["a"].health.failures == 0


def test_these_are_all_that_belong_to_the_request():
    assert {type(outcome) for outcome in BLAMELESS} == set(OF_THE_REQUEST)

"""Why an account cannot serve."""

from __future__ import annotations

from maxpool.core.reasons import BY_EVENT, COOLING, SPENT, TOLD, Reason


def test_a_pause_after_a_failure_says_nothing_of_quota_money_or_the_login():
    assert not COOLING & (TOLD | SPENT)
    assert not {Reason.QUOTA, Reason.BUDGET, Reason.BUCKET_EXHAUSTED, Reason.LOCKED_OUT} & COOLING


def test_what_only_an_event_ends_has_no_time_of_its_own():
    assert not BY_EVENT & (COOLING | SPENT - {Reason.DRAINING})

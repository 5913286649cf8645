"""The choice among what a name stands for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maxpool import (
    Command,
    Lease,
    LeaseRequest,
    ModelMissing,
    Overloaded,
    QuotaExceeded,
    Refusal,
    Success,
    TokenUsage,
    TransientFailure,
    Wait,
)
from maxpool.core.lease import OwnLogin
from maxpool.core.needs import UNSIGNED_THINKING
from tests.core.routed import (
    GROQ,
    MAX,
    OPENAI,
    OPUS,
    SONNET,
    asking,
    granted,
    named,
    provider,
    routed_pool,
)
from tests.make import HOUR, NOW, account, key

DONE = Success(TokenUsage(input=100, output=200, cache_read=19_000))
FOREIGN = provider("other", "claude-*")


def leased(pool, route, now=NOW, session=None, **given):
    exclude = given.pop("exclude", frozenset())
    found = pool.acquire(asking(route, session, **given), now, exclude=exclude)
    assert isinstance(found, Lease), found
    return found


def exhaust(pool, account_id, until=NOW + HOUR, now=NOW):
    model = next(iter(pool.states[account_id].account.models), OPUS)
    lease = granted(pool, LeaseRequest(model, owner=account_id, owner_chosen=True), now)
    assert isinstance(lease, Lease)
    pool.release(lease, QuotaExceeded("5h", until), now)


def test_a_lease_names_the_model_of_the_target_that_was_chosen():  # P1
    pool = routed_pool()
    lease = leased(pool, named(pool, "openai/gpt"))
    assert (lease.account_id, lease.model) == ("openai", "gpt")
    assert (lease.decision.route, lease.decision.target) == ("a", "openai/gpt")
    pool.release(lease, Overloaded("gpt"), NOW)
    assert "gpt" in pool.states["openai"].model_benches  # under its own name, too


def test_a_fallback_serves_when_no_target_before_it_can():  # P1
    pool = routed_pool()
    route = named(pool, f"max/{OPUS}", fallback=("groq/llama", "openai/gpt"))
    assert leased(pool, route).account_id == "max"
    exhaust(pool, "max")
    lease = leased(pool, route)
    assert lease.model == "llama"
    pool.release(lease, ModelMissing("llama"), NOW)
    assert leased(pool, route).model == "gpt"


def test_one_account_may_fall_back_to_another_of_its_models():
    pool = routed_pool(MAX)
    route = named(pool, f"max/{OPUS}", fallback=(f"max/{SONNET}",))
    lease = leased(pool, route)
    pool.release(lease, Overloaded(OPUS), NOW)
    assert leased(pool, route).model == SONNET


@pytest.mark.parametrize("need", ["images", "tools", "thinking"])
def test_a_target_that_cannot_take_the_request_is_not_tried(need):  # P2
    blind = provider("blind", "m", lacks=frozenset({need}), priority=-1)
    pool = routed_pool(blind, OPENAI)
    route = named(pool, "blind/m", "openai/gpt")
    assert leased(pool, route).account_id == "blind"
    assert leased(pool, route, needs=frozenset({need})).account_id == "openai"


def test_a_refusal_says_why_no_target_serves_and_not_that_other_accounts_are_none():  # P2
    blind = provider("blind", "m", lacks=frozenset({"images"}))
    pool = routed_pool(OPENAI, blind, GROQ)
    route = named(pool, "blind/m")
    found = pool.acquire(asking(route, needs=frozenset({"images"})), NOW)
    assert isinstance(found, Refusal)
    assert (found.reason, found.counts) == ("needs", {"target": 2, "needs": 1})


def test_a_target_whose_context_is_too_small_is_not_tried():  # P2
    short = provider("short", "m", context={"m": 10_000}, priority=-1)
    pool = routed_pool(short, OPENAI)
    route = named(pool, "short/m", "openai/gpt")
    assert leased(pool, route).account_id == "openai"
    found = pool.acquire(asking(named(pool, "short/m")), NOW)
    assert isinstance(found, Refusal)
    assert found.reason == "context"


def test_signed_thinking_never_crosses():  # S11
    pool = routed_pool()
    route = named(pool, f"max/{OPUS}", "openai/gpt")
    exhaust(pool, "max")
    found = pool.acquire(asking(route, signed_thinking=True, max_wait_s=1.0), NOW)
    assert isinstance(found, Refusal)
    assert (found.reason, found.retry_at) == ("quota", NOW + HOUR)


def test_a_wait_ends_when_any_target_frees():
    pool = routed_pool()
    route = named(pool, "openai/gpt", f"max/{OPUS}")
    exhaust(pool, "max", NOW + 500.0)
    exhaust(pool, "openai", NOW + 100.0)
    wait = pool.acquire(asking(route, max_wait_s=900.0), NOW)
    assert isinstance(wait, Wait)
    assert wait.until == NOW + 100.0
    ((ticket, lease),) = pool.wake(NOW + 101.0)
    assert isinstance(lease, Lease)
    assert (ticket, lease.account_id) == (wait.ticket, "openai")


def test_a_waiter_for_a_route_holds_up_nobody_who_has_another_way():  # Q1
    pool = routed_pool()
    exhaust(pool, "groq")
    assert isinstance(pool.acquire(asking(named(pool, "groq/llama"), max_wait_s=9e3), NOW), Wait)
    assert leased(pool, named(pool, "openai/gpt")).account_id == "openai"


def test_a_session_stays_with_its_target_and_its_model():  # S9
    pool = routed_pool(account("max"), account("two"))
    route = named(pool, f"max/{OPUS}", f"max/{SONNET}", f"two/{OPUS}", f"two/{SONNET}")
    first = leased(pool, route, session="s")
    pool.release(first, DONE, NOW + 1)
    for turn in range(2, 6):
        lease = leased(pool, route, NOW + 10 * turn, session="s")
        assert (lease.account_id, lease.model) == (first.account_id, first.model)
        pool.release(lease, DONE, NOW + 10 * turn + 1)


def test_another_vendor_serves_a_claude_name_only_when_claude_is_exhausted():
    pool = routed_pool(MAX, FOREIGN)
    direct = LeaseRequest(OPUS, max_wait_s=900.0)
    assert granted(pool, direct, NOW).account_id == "max"
    exhaust(pool, "max", NOW + HOUR)
    lease = granted(pool, direct, NOW)
    assert (lease.account_id, lease.model) == ("other", OPUS)
    assert not lease.decision.route


def test_who_is_back_within_the_patience_is_waited_for():
    pool = routed_pool(MAX, FOREIGN)
    exhaust(pool, "max", NOW + 10.0)
    wait = pool.acquire(LeaseRequest(OPUS), NOW)
    assert isinstance(wait, Wait)
    assert (wait.reason, wait.until) == ("cross_provider", NOW + 10.0)
    assert granted(pool, LeaseRequest(OPUS, max_wait_s=5.0), NOW).account_id == "other"
    ((_, lease),) = pool.wake(NOW + 10.1)
    assert isinstance(lease, Lease)
    assert lease.account_id == "max"


@pytest.mark.parametrize("cross", ["never", "always"])
def test_other_vendors_serve_claude_names_never_or_as_equals_if_their_owner_says_so(cross):
    pool = routed_pool(MAX, FOREIGN, cross_provider=cross)
    used = {granted(pool, LeaseRequest(OPUS), NOW).account_id for _ in range(4)}
    assert used == ({"max"} if cross == "never" else {"max", "other"})
    exhaust(pool, "max")
    found = pool.acquire(LeaseRequest(OPUS, max_wait_s=0.0), NOW)
    assert isinstance(found, Refusal) == (cross == "never")


def test_an_owners_priority_and_a_persons_preference_come_before_the_vendor():
    pool = routed_pool(MAX, replace(FOREIGN, priority=-1))
    assert granted(pool, LeaseRequest(OPUS), NOW).account_id == "other"
    pool = routed_pool(MAX, FOREIGN)
    pool.selector.preferred = "other"
    assert granted(pool, LeaseRequest(OPUS), NOW).account_id == "other"


def test_a_session_that_went_elsewhere_comes_back_unless_its_transcript_no_longer_fits():
    home = account("max", lacks=frozenset({UNSIGNED_THINKING}))
    pool = routed_pool(home, FOREIGN)
    exhaust(pool, "max", NOW + HOUR)
    pool.release(granted(pool, LeaseRequest(OPUS, "s"), NOW), DONE, NOW + 1)
    later, fits = NOW + HOUR + 60, frozenset({UNSIGNED_THINKING})
    assert granted(pool, LeaseRequest(OPUS, "s", needs=fits), later).account_id == "other"
    assert granted(pool, LeaseRequest(OPUS, "s"), later).account_id == "max"


def test_a_routes_own_vendor_comes_first_where_the_name_is_one_of_its_models():
    pool = routed_pool(MAX, OPENAI)
    given = {"name": "claude-big", "cross": "when-exhausted"}
    route = named(pool, "openai/gpt", f"max/{OPUS}", **given)
    assert {leased(pool, route).account_id for _ in range(4)} == {"max"}
    exhaust(pool, "max")
    assert leased(pool, route).model == "gpt"


def test_a_clients_own_login_serves_a_route_that_names_its_vendor():
    own = account("own", kind="client")
    pool = routed_pool(own, GROQ)
    route = named(pool, f"anthropic/{OPUS}")
    assert leased(pool, route, own=OwnLogin("own")).account_id == "own"
    exhausted = asking(route, own=OwnLogin("own"), max_wait_s=0.0)
    lease = leased(pool, route, own=OwnLogin("own"))
    pool.release(lease, QuotaExceeded("5h", NOW + HOUR), NOW)
    assert isinstance(pool.acquire(exhausted, NOW), Refusal)
    last = pool.last_word(exhausted, NOW)
    assert last is not None
    assert (last.account_id, last.model) == ("own", OPUS)


def test_a_failed_target_is_excluded_by_its_account():
    pool = routed_pool()
    route = named(pool, "groq/llama", "openai/gpt")
    first = leased(pool, route)
    pool.release(first, TransientFailure(500), NOW)
    other = leased(pool, route, exclude=frozenset({first.account_id}))
    assert other.account_id != first.account_id


def test_a_reserve_opens_only_when_every_target_is_closed():
    kept = account("kept", reserve={"7d": 0.9}, emergency=True)
    pool = routed_pool(kept, OPENAI)
    pool.observe(
        "kept",
        {
            "anthropic-ratelimit-unified-7d-utilization": "0.5",
            "anthropic-ratelimit-unified-7d-reset": str(int(NOW + 9e4)),
        },
        NOW,
    )
    route = named(pool, f"kept/{OPUS}", fallback=("openai/gpt",))
    assert leased(pool, route).account_id == "openai"
    exhaust(pool, "openai")
    assert leased(pool, route).account_id == "kept"


def test_nobody_for_a_route_names_the_true_cause():  # S20
    pool = routed_pool(key("k"))
    found = pool.acquire(asking(named(pool, "k/m")), NOW)
    assert isinstance(found, Lease)
    pool.release(found, ModelMissing("m"), NOW)
    found = pool.acquire(asking(named(pool, "k/m"), max_wait_s=1.0), NOW)
    assert isinstance(found, Refusal)
    assert (found.reason, found.counts) == ("model_missing", {"model_missing": 1})


def test_thinking_that_nobody_signed_is_left_to_the_api_where_no_other_account_is():
    unsigned = frozenset({UNSIGNED_THINKING})
    only = routed_pool(account("a", lacks=unsigned), account("b", lacks=unsigned))
    asked = LeaseRequest(SONNET, needs=unsigned)
    first = granted(only, asked, NOW).account_id
    second = granted(only, asked, NOW, exclude=frozenset({first})).account_id
    assert {first, second} == {"a", "b"}


def test_thinking_that_nobody_signed_goes_to_who_takes_it_and_after_its_failure_to_nobody():
    unsigned = frozenset({UNSIGNED_THINKING})
    mine, other = account("max", lacks=unsigned), provider("groq", SONNET)
    pool = routed_pool(mine, other, cross_provider="always")
    asked = LeaseRequest(SONNET, needs=unsigned)
    assert granted(pool, asked, NOW).account_id == "groq"
    assert isinstance(pool.acquire(asked, NOW, exclude=frozenset({"groq"})), Refusal)
    pool.command(Command("disable", "groq"), NOW)
    assert granted(pool, asked, NOW).account_id == "max"

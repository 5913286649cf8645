"""The targets of a route as people are told of them."""

from __future__ import annotations

from maxpool import LeaseRequest, NetworkFailure
from tests.core.routed import OPUS, asking, granted, named, routed_pool
from tests.make import NOW


def test_every_target_is_told_with_who_could_serve_it_and_why_not():
    pool = routed_pool()
    route = named(pool, "groq/llama", "openai/gpt", fallback=(f"max/{OPUS}", "groq/gone"))
    lease = granted(pool, LeaseRequest("llama"), NOW)
    pool.release(lease, NetworkFailure(), NOW)
    found = pool.explain(asking(route), NOW)
    assert found.route == "a"
    assert found.chosen == "openai"
    assert [(t.label, t.level, t.chosen, t.reason, t.until) for t in found.targets] == [
        ("groq/llama", 0, False, "network", NOW + 5.0),
        ("openai/gpt", 0, True, None, None),
        (f"max/{OPUS}", 1, False, None, None),
        ("groq/gone", 2, False, "model", None),
    ]


def test_a_target_without_any_account_is_told_too():
    pool = routed_pool()
    route = named(pool, "openai/gpt", "nowhere/x")
    pool.remove("openai", NOW)
    found = pool.explain(asking(route), NOW)
    (gone, *_) = found.targets
    assert (gone.label, gone.account_id) == ("openai/gpt", None)


def test_what_is_told_is_what_is_leased():
    pool = routed_pool()
    for strategy in ("cost", "ordered", "round-robin", "weighted", "sticky", "fastest"):
        route = named(pool, "openai/gpt", "groq/llama", strategy=strategy)
        told = pool.explain(asking(route), NOW)
        (chosen,) = [target for target in told.targets if target.chosen]
        lease = granted(pool, asking(route), NOW)
        assert (chosen.account_id, chosen.model) == (lease.account_id, lease.model)

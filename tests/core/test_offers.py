"""The model index."""

from __future__ import annotations

from dataclasses import replace

from maxpool import LeaseRequest
from maxpool.core.offers import KEPT_MODELS, mixed
from maxpool.core.routes import Target, level_of
from tests.core.routed import GROQ, MAX, OPENAI, provider, routed_pool
from tests.make import NOW


def test_a_model_is_known_by_exact_names_and_by_patterns():
    pool = routed_pool(MAX, GROQ, provider("wild", "ll*"), provider("any"))
    assert pool.index.offers.of(LeaseRequest("llama")) == {"groq", "wild", "any"}
    assert pool.index.offers.of(LeaseRequest("small")) == {"groq", "any"}


def test_a_part_has_the_accounts_that_offer_what_they_would_be_asked_for():
    pool = routed_pool(MAX, GROQ, OPENAI)
    targets = [Target("llama", provider="groq"), Target("gpt", account="max")]
    (part, other) = level_of(targets, "cost", lambda _: 1.0).parts
    assert {**pool.index.offers.members(part), **pool.index.offers.members(other)} == {
        "groq": targets[0],
        "max": targets[1],
    }
    (gone,) = level_of([Target("nothing", provider="groq")], "cost", len).parts
    assert not pool.index.offers.members(gone)


def test_it_follows_accounts_that_come_change_and_go():
    pool = routed_pool(MAX, GROQ)
    offers = pool.index.offers
    assert offers.are_foreign()
    pool.update(replace(GROQ, models={"new": "*"}), NOW)
    assert (offers.of(LeaseRequest("new")), offers.of(LeaseRequest("llama"))) == (
        {"groq"},
        frozenset(),
    )
    pool.remove("groq", NOW)
    assert not offers.of(LeaseRequest("new"))
    assert not offers.are_foreign()


def test_names_are_bounded():  # S19
    pool = routed_pool(GROQ)
    for n in range(KEPT_MODELS + 9):
        pool.index.offers.of(LeaseRequest(f"m{n}"))
    assert len(pool.index.offers.models) <= KEPT_MODELS


def test_who_offers_models_of_its_own_is_asked_by_what_it_offers():
    assert mixed(GROQ)
    assert mixed(provider("any"))
    assert mixed(replace(MAX, models={"claude-*": "*"}))
    assert not mixed(MAX)

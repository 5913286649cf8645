"""From the model a client names to the one an account is asked for."""

from __future__ import annotations

import pytest

from maxpool.core.routes import Route
from maxpool.core.sets import SetOf
from maxpool.core.targets import KEPT, Alias, Unroutable, served_by_name, upstream_model, weighted
from tests.core.routed import (
    GROQ,
    MAX,
    OPENAI,
    OPUS,
    SONNET,
    provider,
    route_to,
    routed_pool,
    routes,
)

MAP = {"claude-*-mini": "small", "claude-*": "*", "exact": "other", "same": ""}


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("claude-x-mini", "small"),
        ("claude-opus-5-5", "claude-opus-5-5"),
        ("exact", "other"),
        ("same", "same"),
        ("gpt-5", None),
        ("CLAUDE-opus", None),
    ],
)
def test_the_first_pattern_in_the_owners_order_names_the_model(model, found):
    assert upstream_model(MAP, model) == found


def test_an_exact_name_comes_before_any_pattern():
    assert upstream_model({"*": "all", "m": "mine"}, "m") == "mine"


def test_an_empty_map_offers_every_model_by_its_name():
    assert upstream_model({}, "anything") == "anything"


def test_only_a_star_makes_a_pattern():
    assert upstream_model({"claude-[abc]": "x", "gpt?": "y"}, "gpt5") is None


def test_a_map_lists_exact_names_and_the_targets_that_it_serves_as_they_are():
    assert served_by_name({"*": "big"}) == ["big"]
    assert served_by_name({"claude-*": "big"}) == []
    assert served_by_name({"a": "b", "claude-*": "*"}) == ["a"]
    assert served_by_name({"a": "", "big*": "big-1"}) == ["a", "big-1"]


# -- what a name stands for ------------------------------------------------------------------------


def labels(found):
    assert isinstance(found, Route), found
    return [[target.label for target in level.targets] for level in found.levels]


def models(found):
    return [(target.account or target.provider, target.model) for target in found.targets]


POOL = routed_pool(MAX, GROQ, OPENAI)


def test_an_exact_alias_comes_before_patterns_before_provider_before_the_name_itself():
    exact = Alias(name="groq/llama", targets=("openai/gpt",))
    pattern = Alias(name="groq/*", targets=(f"max/{OPUS}",))
    name = "groq/llama"
    assert labels(routes(POOL, pattern, exact).resolve(name)) == [["openai/gpt"]]
    assert labels(routes(POOL, pattern).resolve(name)) == [[f"max/{OPUS}"]]
    assert models(routes(POOL).resolve(name)) == [("groq", "llama")]
    assert routes(POOL).resolve(OPUS) is None


def test_the_first_pattern_that_fits_is_taken():
    names = routes(POOL, Alias(name="c*", targets=("a",)), Alias(name="cl*", targets=("b",)))
    assert labels(names.resolve("claude-x")) == [["a"]]


def test_a_provider_or_an_account_is_named_before_the_slash_and_a_model_may_hold_more():
    two = routed_pool(
        provider("g1", "a/b", provider="groq"), provider("g2", "a/b", provider="groq")
    )
    assert models(routes(two).resolve("groq/a/b")) == [("groq", "a/b")]
    assert models(routes(two).resolve("g2/a/b")) == [("g2", "a/b")]
    (target,) = route_to(routes(two), "a/b").targets  # nobody's name: the model itself
    assert (target.model, target.mapped) == ("a/b", True)


def test_a_target_keeps_the_asked_name_with_a_star_and_has_a_weight_behind_the_at():
    written = Alias(name="claude-*", targets=("max/*@3", "openai/gpt@0.5"))
    found = route_to(routes(POOL, written), OPUS)
    assert [(t.model, t.weight) for t in found.targets] == [(OPUS, 3.0), ("gpt", 0.5)]
    assert weighted("claude-sonnet@20250929") == ("claude-sonnet@20250929", 1.0)


def test_an_alias_of_an_alias_stands_for_its_targets_and_weights_multiply():
    inner = Alias(name="in", targets=("groq/llama@2", "openai/gpt"), fallback_targets=("max/x",))
    outer = Alias(name="out", targets=("in@3", f"max/{OPUS}"))
    found = route_to(routes(POOL, outer, inner), "out")
    assert labels(found) == [["groq/llama", "openai/gpt", f"max/{OPUS}"], ["max/x"]]
    assert [target.weight for target in found.targets] == [6.0, 3.0, 1.0, 1.0]


def test_an_alias_that_names_itself_means_the_model():
    found = routes(POOL, Alias(name=OPUS, targets=(OPUS,), fallback_targets=("openai/gpt",)))
    assert labels(found.resolve(OPUS)) == [[OPUS], ["openai/gpt"]]


def test_a_pin_is_that_account_without_any_fallback():
    found = routes(POOL, fallbacks={"*": ("openai/gpt",)}).resolve(f"account:max/{OPUS}")
    assert models(found) == [("max", OPUS)]
    wrong = routes(POOL).resolve("account:mex/m")
    assert isinstance(wrong, Unroutable)
    assert "max" in wrong.message


def test_a_tier_is_the_exact_one_then_the_next_higher_then_the_first_model():
    exact = provider("exact", "e", tiers={"fast": "e"})
    higher = provider("higher", "h", "hh", tiers={"reasoning": "hh", "medium": "h"})
    first = provider("first", "f", "g")
    names = routes(routed_pool(first, higher, exact), Alias(name="quick", tier="fast"))
    assert labels(names.resolve("quick")) == [["exact/e"], ["higher/h"], ["first/f"]]


def test_an_anthropic_account_has_the_usual_tiers():
    names = routes(routed_pool(MAX), Alias(name="q", tier="fast"), tiers={"fast": "claude-haiku"})
    assert labels(names.resolve("q")) == [["max/claude-haiku"]]


def test_fallbacks_of_a_name_come_after_itself_in_their_order():
    names = routes(POOL, fallbacks={"claude-opus-*": (SONNET, "openai/gpt")})
    assert labels(names.resolve(OPUS)) == [[OPUS], [SONNET], ["openai/gpt"]]
    assert names.resolve(SONNET) is None


def test_a_name_nobody_offers_is_the_default_model():
    only = routed_pool(GROQ)
    names = routes(only, Alias(name="best", targets=("groq/llama",)), default_model="best")
    assert models(names.resolve("who-knows")) == [("groq", "llama")]
    assert models(routes(POOL, default_model="openai/gpt").resolve("default")) == [
        ("openai", "gpt")
    ]


def test_a_model_that_a_map_names_is_not_asked_of_anthropic():
    pool = routed_pool(MAX, OPENAI)
    (part,) = route_to(routes(pool), "gpt").levels[0].parts
    assert [a.id for a in (MAX, OPENAI) if part.target_of(a) is not None] == ["openai"]


def test_the_set_in_use_and_every_other_have_model_ids():
    names = routes(routed_pool())
    names.sets.make(SetOf("night", ("groq/llama", "openai/gpt"), "ordered"))
    assert labels(names.resolve("maxpool:night")) == [["groq/llama", "openai/gpt"]]
    names.sets.use("night")
    assert labels(names.resolve("maxpool")) == [["groq/llama", "openai/gpt"]]
    names.sets.drop("night")
    assert isinstance(names.resolve("maxpool:night"), Unroutable)


def test_at_a_sets_own_address_a_model_of_it_is_itself_and_any_other_the_set():
    names = routes(routed_pool())
    names.sets.make(SetOf("night", ("groq/llama", "openai/gpt")))
    assert labels(names.resolve("gpt", set_name="night")) == [["openai/gpt"]]
    assert labels(names.resolve(OPUS, set_name="night")) == [["groq/llama", "openai/gpt"]]


def test_the_default_set_is_built_by_the_owners_order_from_each_accounts_large_model():
    late = provider("late", "l", priority=2)
    first = provider("first", "f", "big", tiers={"fast": "f", "large": "big"}, tier=0)
    off = provider("off", "o", enabled=False)
    names = routes(routed_pool(late, first, off, MAX), tiers={"large": OPUS})
    assert labels(names.resolve("maxpool")) == [["first/big", f"max/{OPUS}", "late/l"]]


def test_a_profile_leaves_out_what_it_does_not_allow():
    both = Alias(name="best", targets=(f"max/{OPUS}", "openai/gpt"))
    names = routes(POOL, both, profiles={"claude": ("claude*",), "cheap": ("llama",)})
    assert labels(names.resolve("best", profile="claude")) == [[f"max/{OPUS}"]]
    assert labels(names.resolve("best", profile="all")) == [[f"max/{OPUS}", "openai/gpt"]]
    refused = names.resolve("best", profile="cheap")
    assert isinstance(refused, Unroutable)
    assert refused.reason == "profile"
    assert isinstance(names.resolve("gpt", profile="claude"), Unroutable)
    assert names.resolve(OPUS, profile="claude") is None
    assert names.resolve(OPUS, profile="of-accounts-only") is None


def test_what_is_usual_for_a_program_holds_but_for_what_is_written_out():
    said = {"profiles": {"claude": ("claude*",)}, "usual_profile": {"claude-code": "claude"}}
    big = Alias(name="claude-big", targets=("openai/gpt",))
    names = routes(POOL, big, Alias(name="large", tier="large"), tiers={"large": OPUS}, **said)
    assert labels(names.resolve("claude-big", program="claude-code")) == [["openai/gpt"]]
    assert labels(names.resolve("maxpool", program="claude-code")) == [[f"max/{OPUS}"]]
    assert len(route_to(names, "maxpool").targets) == 3
    assert labels(names.resolve("large", program="claude-code")) == [[f"max/{OPUS}"]]


def test_a_name_stands_for_one_object_until_something_changes():
    names = routes(POOL, Alias(name="best", targets=("openai/gpt",)))
    first = names.resolve("best")
    assert names.resolve("best") is first
    names.sets.use("default")
    assert names.resolve("best") is not first


def test_names_that_clients_make_up_are_bounded():  # S19
    names = routes(POOL)
    for n in range(KEPT + 9):
        names.resolve(f"x{n}")
    assert len(names.known) <= KEPT


def test_clients_are_told_of_aliases_and_sets():
    names = routes(
        routed_pool(), Alias(name="best", targets=("gpt",)), Alias(name="c-*", targets=("gpt",))
    )
    assert [*names.listed()] == ["best"]
    names.sets.make(SetOf("night", ("gpt",)))
    assert [*names.listed()] == ["best", "maxpool", "maxpool:default", "maxpool:night"]


def test_only_a_number_without_leading_zeros_is_a_weight():
    assert weighted("gemini-pro@001") == ("gemini-pro@001", 1.0)
    assert weighted("m@10") == ("m", 10.0)
    assert weighted("m@0.5") == ("m", 0.5)


def test_names_that_nobody_knows_are_looked_up_in_maps_and_not_in_accounts():
    accounts = [provider(f"p{n}", f"m{n}", f"like-{n}-*") for n in range(3)]
    names = routes(routed_pool(*accounts))
    assert route_to(names, "m2").targets[0].mapped
    assert route_to(names, "like-1-x").targets[0].mapped
    assert names.resolve("m3") is None
    assert names.offered == frozenset(name for a in accounts for name in a.models)

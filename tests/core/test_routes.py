"""What one name stands for, as values."""

from __future__ import annotations

from maxpool.core.routes import Target, home_of, level_of, route_of
from tests.core.routed import GROQ, MAX, OPUS, asking, provider
from tests.make import account, key


def test_a_target_is_an_account_a_providers_accounts_or_whoever_offers_its_model():
    (part,) = level_of([Target("m", account="max")], "cost", len).parts
    assert (part.target_of(MAX) is not None, part.target_of(GROQ)) == (True, None)
    (part,) = level_of([Target("m", provider="groq")], "cost", len).parts
    assert (part.target_of(GROQ) is not None, part.target_of(MAX)) == (True, None)
    (part,) = level_of([Target("m")], "cost", len).parts
    assert part.target_of(GROQ) == part.target_of(MAX) == Target("m")


def test_what_some_map_names_is_not_asked_of_accounts_without_any():
    (part,) = level_of([Target("llama", mapped=True)], "cost", len).parts
    assert part.target_of(MAX) is None
    assert part.target_of(GROQ) == Target("llama", mapped=True)


def test_targets_of_one_price_are_one_part_and_an_account_has_one_model_in_it():
    targets = [Target("a", account="x"), Target("b", account="y"), Target("c", account="x")]
    level = level_of(targets, "cost", lambda _: 1.0)
    assert [sorted(part.by_account) for part in level.parts] == [["x", "y"], ["x"]]
    dearer = level_of(targets, "cost", lambda model: float(model == "b"))
    assert [sorted(part.by_account) for part in dearer.parts] == [["x"], ["x"], ["y"]]


def test_any_other_strategy_has_each_target_by_itself():
    targets = [Target("a", account="x"), Target("b", account="y")]
    parts = level_of(targets, "ordered", lambda _: 1.0).parts
    assert [[*part.by_account] for part in parts] == [["x"], ["y"]]


def test_only_claude_names_tell_whose_models_they_are():
    assert home_of("claude-opus-5-5") == home_of("vendor/claude-x") == "anthropic"
    assert home_of("gpt-5") is home_of("best") is None


def test_at_home_only_the_vendors_own_accounts_are_targets():
    route = route_of(OPUS, [[Target(OPUS)]], cross="when-exhausted")
    (level,) = route.at_home
    claude = provider("other", "claude-*")
    assert level.parts[0].target_of(MAX) is not None
    assert level.parts[0].target_of(claude) is None
    assert [t.model for t in route.targets_of(claude)] == [OPUS]
    never = route_of(OPUS, [[Target(OPUS)]], cross="never")
    assert not list(never.targets_of(claude))


def test_an_account_sees_the_request_once_for_each_model_of_its_own():
    levels = [[Target("a", account="k")], [Target("b", account="k"), Target("a", account="k")]]
    route = route_of("x", levels)
    seen = list(route.as_seen_by(key("k"), asking(route)))
    assert [(one.model, one.route, one.part) for one in seen] == [
        ("a", None, None),
        ("b", None, None),
    ]
    assert not list(route.as_seen_by(account("z"), asking(route)))

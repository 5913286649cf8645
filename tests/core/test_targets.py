"""From the model a client names to the one an account is asked for."""

from __future__ import annotations

import pytest

from maxpool.core.targets import served_by_name, upstream_model

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

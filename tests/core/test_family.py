"""Model families."""

from __future__ import annotations

import pytest

from maxpool.core.family import family_of


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("claude-3-5-sonnet-20241022", "sonnet"),
        ("claude-opus-5-5", "opus"),
        ("CLAUDE-HAIKU-4-5", "haiku"),
        ("anthropic/claude-opus-4", "opus"),
        ("gpt-5.2", "gpt"),
        ("o3", "o3"),
        ("", ""),
        ("claude-", "claude-"),
    ],
)
def test_a_family_is_the_first_word_that_is_no_brand(model, family):
    assert family_of(model) == family


def test_a_name_without_a_family_stays_bounded():  # S19
    assert len(family_of("7" * 100_000)) == 64
    assert len(family_of("x" * 100_000)) == 64

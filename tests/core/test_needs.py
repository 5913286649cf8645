"""core/needs: one word for each thing that not every account can take."""

from __future__ import annotations

from maxpool.core.needs import CHAT_LACKS, PROMPT_LACKS, UNSIGNED_THINKING, WORDS


def test_every_word_that_a_format_lacks_is_explained():
    assert CHAT_LACKS < PROMPT_LACKS < WORDS.keys()
    assert all(WORDS.values())


def test_a_service_of_another_provider_takes_thinking_that_nobody_signed():
    assert UNSIGNED_THINKING not in PROMPT_LACKS

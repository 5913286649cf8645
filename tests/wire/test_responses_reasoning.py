from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.wire.responses_reasoning import PREFIX, opened, sealed, sealed_redacted

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1)


@given(TEXTS, TEXTS)
def test_thinking_comes_back_as_it_was(thinking: str, signature: str):
    block = {"type": "thinking", "thinking": thinking, "signature": signature}
    assert opened(sealed(thinking, signature)) == block


def test_redacted_thinking_comes_back_as_it_was():
    assert opened(sealed_redacted("abc=")) == {"type": "redacted_thinking", "data": "abc="}


def test_unsigned_thinking_gets_no_envelope():
    assert sealed("let me see", "") is None
    assert sealed_redacted("") is None


@pytest.mark.parametrize(
    "foreign",
    ["gAAAAABo-of-another-provider", PREFIX + "%%", PREFIX + "e30=", PREFIX + "é", 7, None],
)
def test_what_another_provider_encrypted_opens_to_nothing(foreign: object):
    assert opened(foreign) is None

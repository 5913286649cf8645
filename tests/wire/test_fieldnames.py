"""Names of header fields: what they say does not depend on how they were written or remembered."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.wire.fieldnames import KEPT_NAME_BYTES, about

TOKEN = (string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~").encode()


@given(st.binary(max_size=2 * KEPT_NAME_BYTES))
def test_a_name_is_a_token_or_none(name: bytes):
    assert about(name).valid == (bool(name) and not name.translate(None, TOKEN))


@given(st.sampled_from(["X-Api-Key", "TE", "X-Forwarded-For", "Anthropic-Beta", "Set-Cookie"]))
def test_the_case_of_a_name_decides_nothing(name: str):
    told = {about(one.encode()) for one in (name, name.lower(), name.upper())}
    assert len(told) == 1


@pytest.mark.parametrize(
    ("name", "up", "down"),
    [
        (b"anthropic-version", True, True),
        (b"authorization", False, True),
        (b"Api-Key", False, True),
        (b"x-goog-api-key", False, True),
        (b"ChatGPT-Account-Id", False, True),
        (b"X-Maxpool-Account", False, False),
        (b"connection", False, False),
        (b"cookie", False, True),
        (b"set-cookie", True, False),
        (b"access-control-allow-origin", True, False),
    ],
)
def test_a_name_says_where_its_field_may_go(name: bytes, up: bool, down: bool):
    assert (about(name).up, about(name).down) == (up, down)


def test_long_names_are_read_like_short_ones():
    name = b"X-Forwarded-" + b"a" * KEPT_NAME_BYTES
    assert (about(name).text, about(name).up) == (name.decode().lower(), False)
    assert about(b"anthropic-ratelimit-" + b"x" * KEPT_NAME_BYTES).limits

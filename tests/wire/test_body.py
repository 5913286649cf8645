"""wire/body: the one parse."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.errors import RequestError
from maxpool.wire.body import parse

TEXT = st.text('ab"\\{[é', max_size=6)  # a short alphabet: the full one takes a second to build
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)
KEYS = st.sampled_from(
    [
        "messages",
        "system",
        "tools",
        "thinking",
        "metadata",
        "cache_control",
        "input",
        "prompt_cache_key",
    ]
)


@given(st.dictionaries(KEYS, JSON))
def test_any_object_with_a_model_is_read(odd: dict[str, object]):
    body = parse(json.dumps({"model": "m"} | odd).encode())
    assert body.model == "m"
    body.user_session()
    body.prompt_cache_key()
    body.conversation()


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_a_status(raw: bytes):
    try:
        status = 200 if parse(raw).model else 0
    except RequestError as refused:
        status = refused.status
    assert status in (200, 400)


@given(JSON)
def test_blocks_of_any_shape_are_passed_over(block: object):
    message = {"role": "user", "content": [block, {"type": "image", "source": block}]}
    assert parse(json.dumps({"model": "m", "messages": [message]}).encode()).input_tokens >= 0


def test_the_system_prompt_of_a_responses_request_names_its_prefix():
    one, other = (parse(json.dumps({"model": "m", "instructions": t}).encode()) for t in "ab")
    assert one.prefix_digest != other.prefix_digest


def test_disabled_thinking_is_no_need():
    for kind, needs in (("enabled", {"thinking"}), ("adaptive", {"thinking"}), ("disabled", set())):
        raw = json.dumps({"model": "m", "thinking": {"type": kind}}).encode()
        assert parse(raw).needs == needs


def test_absurd_output_limits_are_unknown_limits():
    for limit in (-1, 10**30):
        assert parse(b'{"model":"m","max_tokens":%d}' % limit).max_output_tokens is None


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"messages": [{"role": "user"}, {"role": "assistant", "content": "{"}]}, "prefill"),
        ({"messages": [{"role": "assistant", "content": "hi"}, {"role": "user"}]}, None),
        ({"mcp_servers": [{"type": "url"}]}, "server_tools"),
        ({"mcp_servers": None}, None),
        ({"container": "container_1"}, "server_tools"),
        ({"container": None}, None),
        ({"context_management": {"edits": [{"type": "compact_20260112"}]}}, "compaction"),
        ({"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}}, None),
    ],
)
def test_what_a_request_asks_of_its_api_besides_blocks_is_a_need_too(more, word):  # P2
    needs = parse(json.dumps({"model": "m", **more}).encode()).needs
    assert needs == (frozenset({word}) if word else frozenset())

"""wire/request: who asks, and what the pool may know of it."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.errors import RequestError
from maxpool.wire.body import plain
from maxpool.wire.request import read
from tests.wire import captures
from tests.wire.packing import PACK, bomb, packed

if TYPE_CHECKING:
    from maxpool.core.lease import LeaseRequest

PLAIN: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "messages": [{"role": "user", "content": "hi"}],
}


def ask(
    body: object = None, *, key_id: str | None = None, headers: dict[str, str] | None = None
) -> LeaseRequest:
    raw = body if isinstance(body, bytes) else json.dumps(PLAIN | (body or {})).encode()  # type: ignore[operator]
    return read(headers or {}, raw, key_id=key_id, arrived_at=100.0)[0]


def test_a_real_claude_code_request_is_read_whole():
    row = captures.recorded("claude-code")
    asked, _ = read(captures.fields(row), captures.body(row), key_id="k1", arrived_at=5.0)
    assert asked.session == f"k1:{captures.SESSION}"
    assert (asked.model, asked.program, asked.agent) == ("claude-opus-5-5", "claude-code", None)
    assert (asked.stream, asked.max_output_tokens, asked.arrived_at) == (True, 128000, 5.0)
    assert asked.needs == {"tools", "thinking"}
    assert 10_000 < asked.input_tokens < 18_000


def test_a_sub_agent_shares_the_session_and_has_its_own_agent_id():
    row = captures.recorded("claude-code", "sub-agent")
    asked, _ = read(captures.fields(row), captures.body(row), key_id=None, arrived_at=0.0)
    assert asked.session == captures.SESSION
    assert asked.agent


def test_codex_and_opencode_are_told_apart_by_their_own_session_headers():
    for client, session in (("codex", captures.SESSION), ("opencode", "ses_1")):
        row = captures.recorded(client)
        asked, _ = read(captures.fields(row), captures.body(row), key_id=None, arrived_at=0.0)
        assert (asked.session, asked.program) == (session, None)


def test_a_python_sdk_request_without_ids_keeps_its_session_as_the_conversation_grows():
    marked = {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}
    first = {"system": "be brief", "messages": [{"role": "user", "content": [marked]}]}
    unmarked = {"type": "text", "text": "hi"}
    later = [
        {"role": "user", "content": [unmarked]},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": [marked]},
    ]
    assert ask(first).session == ask({"system": "be brief", "messages": later}).session
    assert ask({"system": "other"}).session != ask({"system": "be brief"}).session


def test_the_session_order_is_switch_header_metadata_then_other_clients_headers():
    body = {"metadata": {"user_id": json.dumps({"session_id": "from-metadata"})}}
    headers = {"x-session-id": "other", "x-claude-code-session-id": "claude"}
    assert ask(body, headers=headers).session == "claude"
    assert ask(body, headers=headers | {"x-maxpool-session": "mine"}).session == "mine"
    assert ask(body, headers={"x-session-id": "other"}).session == "from-metadata"
    assert ask({"prompt_cache_key": "thread"}).session == "thread"


def test_two_client_keys_never_share_a_session():
    headers = {"x-maxpool-session": "same"}
    assert ask(key_id="a", headers=headers).session != ask(key_id="b", headers=headers).session
    assert ask(headers={"x-maxpool-session": "a:same"}).session != "a:same"


def test_absurd_ids_are_hashed_so_that_map_keys_stay_small():
    asked = ask(headers={"x-maxpool-session": "z" * 100_000, "x-claude-code-agent-id": "a\x00b"})
    assert asked.session is not None
    assert len(asked.session) < 64
    assert asked.agent is not None
    assert asked.agent.isprintable()


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"[1]", "object"),
        (b"{}", "model"),
        (b'{"model": 1}', "model"),
        (b'{"model": ""}', "model"),
        (b'{"model": "\xff"}', "JSON"),
        (b'{"model":"a","stream":"yes"}', "stream"),
        (b'{"model":"a","max_tokens":"many"}', "max_tokens"),
        (b'{"model":"a","tools":' + b"[" * 100_000, "nested"),
    ],
)
def test_a_body_that_cannot_be_scheduled_is_a_400_that_says_why(body: bytes, word: str):
    with pytest.raises(RequestError, match=word) as raised:
        ask(body)
    assert (raised.value.status, raised.value.kind) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    "odd", [None, 7, "text", {"a": 1}, [None], [{"role": 3}], [{"content": 5}]]
)
def test_messages_of_an_unknown_shape_are_the_upstreams_to_judge(odd: object):
    assert ask({"messages": odd, "system": odd, "tools": odd, "metadata": odd}).model


def test_signed_thinking_is_seen_in_blocks_and_not_in_quoted_text():
    signed = [{"type": "thinking", "thinking": "", "signature": "Eq0"}]
    quoted = [{"type": "text", "text": json.dumps(signed)}]
    redacted = [{"type": "redacted_thinking", "data": "Eq0"}]
    for content, expected in ((signed, True), (quoted, False), (redacted, True)):
        asked = ask({"messages": [{"role": "assistant", "content": content}]})
        assert asked.signed_thinking is expected


def test_an_image_counts_as_an_image_and_not_as_its_bytes():
    picture = {"type": "image", "source": {"type": "base64", "data": "A" * 1_000_000}}
    result = {"type": "tool_result", "content": [picture]}
    for content in ([picture], [result]):
        asked = ask({"messages": [{"role": "user", "content": content}]})
        assert asked.needs == {"images"}
        assert 1_600 <= asked.input_tokens < 2_000


@pytest.mark.parametrize("where", ["system", "tools", "messages", "top"])
def test_an_hour_of_cache_anywhere_makes_the_cache_life_an_hour(where: str):
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    block = {"type": "text", "text": "x"} | mark
    body = {
        "system": {"system": [block]},
        "tools": {"tools": [{"name": "t"} | mark]},
        "messages": {"messages": [{"role": "user", "content": [block]}]},
        "top": mark,
    }[where]
    assert ask(body).cache_ttl_s == 3600
    assert ask({"cache_control": {"type": "ephemeral"}}).cache_ttl_s == 300


def test_the_prefix_digest_ignores_the_billing_block_and_the_messages():
    def with_billing(text: str, rest: str) -> dict[str, Any]:
        billing = {"type": "text", "text": f"x-anthropic-billing-header: cc_version={text};"}
        return {"system": [billing, {"type": "text", "text": rest}], "tools": [{"name": "t"}]}

    one = ask(with_billing("1.aa", "s") | {"messages": []}).prefix_digest
    assert one == ask(with_billing("1.bb", "s")).prefix_digest
    assert one != ask(with_billing("1.aa", "other")).prefix_digest
    assert ask().prefix_digest is None


def test_a_program_is_named_only_by_agent_and_app_together():
    agent, app = {"user-agent": "claude-cli/2.1.329 (external)"}, {"x-app": "cli"}
    assert ask(headers=agent | app).program == "claude-code"
    assert ask(headers=agent).program is None
    assert ask(headers=app).program is None


def test_switches_only_narrow_and_junk_in_them_is_ignored():
    def switches(priority: str, wait: str) -> tuple[int, float | None]:
        asked = ask(headers={"x-maxpool-priority": priority, "x-maxpool-max-wait": wait})
        return asked.priority, asked.max_wait_s

    assert switches("5", "30") == (5, 30.0)
    assert switches("-5", "-1") == (0, None)
    assert switches("999999", "1e400") == (0, None)
    assert switches("x", "nan") == (0, None)


def test_a_call_that_never_streams_is_never_read_as_a_stream():
    raw = json.dumps(PLAIN | {"stream": True}).encode()
    assert not read({}, raw, key_id=None, arrived_at=0.0, stream_allowed=False)[0].stream


@pytest.mark.parametrize("coding", PACK)
def test_an_encoded_body_is_decoded_for_reading(coding: str):
    raw = packed(coding, json.dumps(PLAIN).encode())
    name = coding.rpartition(" ")[2].upper()
    assert ask(raw, headers={"content-encoding": f" {name} "}).model == PLAIN["model"]


@pytest.mark.parametrize("coding", PACK)
def test_a_decompression_bomb_is_a_413_and_never_unpacked(coding: str):
    headers = {"content-encoding": coding.rpartition(" ")[2]}
    with pytest.raises(RequestError, match="1 MB") as raised:
        read(headers, bomb(coding, 20), key_id=None, arrived_at=0.0, max_decoded_bytes=2**20)
    assert raised.value.status == 413


def test_the_bound_of_a_decoded_body_is_exact():
    raw = json.dumps(PLAIN).encode()
    for coding in PACK:
        name = coding.rpartition(" ")[2]
        assert plain(packed(coding, raw), name, len(raw)) == raw
        with pytest.raises(RequestError):
            plain(packed(coding, raw), name, len(raw) - 1)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        *(("compress", b"x"), ("gzip", b"junk"), ("deflate", b"junk"), ("gzip, gzip", b"")),
        *(("br", b"\xff\xff"), ("zstd", b"junk"), ("br", b""), ("zstd", b""), ("gzip", b"")),
    ],
)
def test_unreadable_encodings_are_a_400_that_says_so(encoding: str, body: bytes):
    with pytest.raises(RequestError, match=r"gzip|deflate|br|zstd") as raised:
        ask(body, headers={"content-encoding": encoding})
    assert raised.value.status == 400


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate"])
def test_a_truncated_body_is_refused(coding: str):
    whole = packed(coding, json.dumps(PLAIN).encode())
    with pytest.raises(RequestError, match=coding):
        ask(whole[:-1], headers={"content-encoding": coding})


def test_gzip_members_in_a_row_are_read_and_a_flood_of_them_is_refused():
    def member(text: bytes) -> bytes:
        packer = zlib.compressobj(wbits=31)
        return packer.compress(text) + packer.flush()

    headers = {"content-encoding": "gzip"}
    assert ask(member(b'{"model":') + member(b'"m"}'), headers=headers).model == "m"
    with pytest.raises(RequestError, match="gzip"):
        ask(member(b"") * 1_600_000, headers=headers)  # 32 MB: minutes, were each to cost a copy
    with pytest.raises(RequestError, match="gzip"):
        ask(b"", headers=headers)


def test_megabytes_of_blanks_cost_no_more_than_megabytes_of_text():
    body = b'{"model":"m","system":[' + b" " * 8_000_000 + b'],"messages":[{"role":"user"}]}'
    assert ask(body).session  # minutes, were a blank-matching pattern to meet this


VALUES = st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=60)
SWITCHES = (
    *("x-maxpool-session", "x-claude-code-session-id", "x-claude-code-agent-id", "session-id"),
    *("x-maxpool-priority", "x-maxpool-max-wait", "x-maxpool-profile", "user-agent", "x-app"),
)


@given(st.dictionaries(st.sampled_from(SWITCHES), VALUES), st.none() | st.just("k"))
def test_whatever_headers_say_the_request_is_read_and_stays_small(told, key_id):
    found = ask(headers=told, key_id=key_id)
    assert len(found.session or "") <= 100
    assert 0 <= found.priority <= 100
    assert found.max_wait_s is None or 0 <= found.max_wait_s <= 7 * 86_400


def status_of(body: bytes, headers: dict[str, str]) -> int:
    """The status it is refused with; 0 when it is read."""
    try:
        return 0 if ask(body, headers=headers).model else -1
    except RequestError as refused:
        return refused.status


REAL = captures.body(captures.recorded("claude-code"))


@given(st.integers(0, len(REAL)), st.binary(max_size=4), st.integers(0, 400))
def test_a_real_body_with_wrong_bytes_is_read_or_refused_with_a_400(where, wrong, gone):
    assert status_of(REAL[:where] + wrong + REAL[where + gone :], {}) in (0, 400)


@given(st.sampled_from(list(PACK)), st.integers(0, 10_000), st.integers(0, 255))
def test_an_encoded_body_with_a_wrong_byte_is_read_or_refused(coding, where, wrong):
    body = bytearray(packed(coding, json.dumps(PLAIN).encode()))
    body[where % len(body)] = wrong
    headers = {"content-encoding": coding.rpartition(" ")[2]}
    assert status_of(bytes(body), headers) in (0, 400, 413)

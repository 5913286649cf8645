"""wire/headers: what passes and what stays here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxpool.errors import RequestError, SecretError
from maxpool.wire.encoding import Decoder
from maxpool.wire.headers import (
    admin_key,
    authorization,
    checked,
    client_key,
    fields,
    inbound,
    outbound,
    own_login,
)
from tests.wire import captures

KEY = (b"x-api-key", b"sk-ant-api03-x")


def real() -> list[tuple[bytes, bytes]]:
    row = captures.recorded("claude-code")
    return [(name.encode(), value.encode()) for name, value in row["headers"]]


def sent(*headers: tuple[bytes, bytes], oauth: bool = False) -> dict[str, str]:
    return fields(outbound(headers, authorization=None, oauth=oauth))


def test_real_headers_go_upstream_in_their_order_and_case():
    out = outbound(real(), authorization=KEY)
    gone = {b"authorization", b"connection", b"host", b"accept-encoding", b"content-length"}
    assert out[:-2] == [field for field in real() if field[0].lower() not in gone]
    assert out[-2:] == [(b"accept-encoding", b"gzip, br, zstd"), KEY]


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "X-Api-Key",
        "x-maxpool-key",
        "X-Maxpool-Session",
        "Cookie",
        "Origin",
        "Referer",
        "Forwarded",
        "X-Forwarded-For",
        "x-forwarded-proto",
        "Connection",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Proxy-Authorization",
        "Proxy-Connection",
        "Host",
        "Content-Length",
        "Expect",
    ],
)
def test_credentials_traces_and_hop_by_hop_headers_never_go_upstream(name: str):
    assert set(sent((name.encode(), b"x"), (b"anthropic-version", b"v"))) == {
        "anthropic-version",
        "accept-encoding",
    }


def test_headers_named_by_connection_never_go_upstream():
    assert "x-hop" not in sent((b"Connection", b"close, X-Hop"), (b"x-hop", b"1"))


@pytest.mark.parametrize(
    ("accepted", "asked"),
    [
        (b"gzip, deflate, br, zstd", "gzip, br, zstd"),
        (b"zstd;q=0.9,BR , deflate;q=1", "zstd;q=0.9, br"),
        (b"br;q=1.0, *;q=0.5", "br;q=1.0, gzip;q=0.5, zstd;q=0.5"),
        (b"*", "gzip, br, zstd"),
        (b"*, br;q=0", "gzip, zstd"),
        (b"gzip;q=0, br", "br"),
        (b"GZIP; q=0.000", "identity"),
        (b"*;q=0", "identity"),
        (b"*;q=0, zstd", "zstd"),
        (b"identity", "identity"),
        (b"compress, x-odd;q=1", "identity"),
        (b"", "identity"),
        (b";;,,;q=0, ,br;;", "br;;"),
        (b"gzip," * 1000, "identity"),
    ],
)
def test_only_encodings_that_can_be_metered_are_asked_for(accepted: bytes, asked: str):
    assert sent((b"Accept-Encoding", accepted))["accept-encoding"] == asked


def test_encodings_on_several_lines_are_one_list():
    lines = [(b"accept-encoding", b"br"), (b"Accept-Encoding", b"gzip;q=0, zstd")]
    assert sent(*lines)["accept-encoding"] == "br, zstd"


@given(st.binary(max_size=60).map(lambda told: told + b", br"))
def test_whatever_a_caller_accepts_only_readable_encodings_are_asked_for(accepted: bytes):
    asked = sent((b"accept-encoding", accepted))["accept-encoding"]
    names = {one.partition(";")[0] for one in asked.split(", ")}
    assert names <= {"gzip", "br", "zstd", "identity"}
    assert all(Decoder.of(name) for name in names)


def test_a_caller_who_names_no_encoding_gets_none():
    assert sent()["accept-encoding"] == "identity"


def test_the_oauth_beta_is_appended_once_and_nothing_reordered():
    beta = (b"Anthropic-Beta", b"b-2, a-1")
    out = outbound([beta, (b"x", b"1")], authorization=None, oauth=True)
    assert out[0] == (b"Anthropic-Beta", b"b-2, a-1,oauth-2025-04-20")
    again = outbound(out, authorization=None, oauth=True)
    assert again[:2] == out[:2]
    assert sent(oauth=True)["anthropic-beta"] == "oauth-2025-04-20"


def test_without_oauth_the_betas_keep_their_bytes():
    beta = (b"anthropic-beta", b"oauth-2025-04-20 ,  b")
    assert beta in outbound([beta], authorization=KEY)
    assert beta in outbound([beta], authorization=KEY, strip_beta=frozenset({"other"}))


def test_betas_that_the_origin_refuses_are_taken_out():
    beta = [(b"anthropic-beta", b"a-1,b-2"), (b"anthropic-beta", b"b-2")]
    out = outbound(beta, authorization=None, strip_beta=frozenset({"b-2"}))
    assert out[0] == (b"anthropic-beta", b"a-1")
    assert len(out) == 2


def test_static_extras_replace_the_callers_field():
    out = outbound([(b"X-Team", b"mine")], authorization=KEY, extra=((b"x-team", b"theirs"),))
    assert [value for name, value in out if name.lower() == b"x-team"] == [b"theirs"]


@pytest.mark.parametrize(
    ("secret", "mode", "header", "oauth"),
    [
        ("sk-ant-oat01-a", "auto", (b"authorization", b"Bearer sk-ant-oat01-a"), True),
        ("sk-ant-api03-a", "auto", (b"x-api-key", b"sk-ant-api03-a"), False),
        ("sk-ant-api03-a\n", "bearer", None, False),
        ("sk-other", "bearer", (b"authorization", b"Bearer sk-other"), False),
        ("sk-ant-oat01-a", "bearer", (b"authorization", b"Bearer sk-ant-oat01-a"), True),
        ("k", "x-api-key", (b"x-api-key", b"k"), False),
        ("k", "api-key", (b"api-key", b"k"), False),
        ("k", "none", None, False),
    ],
)
def test_a_credential_is_sent_as_its_prefix_or_the_mode_says(
    secret: str, mode: str, header: tuple[bytes, bytes] | None, oauth: bool
):
    if "\n" in secret:
        with pytest.raises(SecretError, match="line break"):
            authorization(secret, mode)
    else:
        assert authorization(secret, mode) == (header, oauth)


@pytest.mark.parametrize("secret", ["", " ", "a\r\nx: y", "a\0b", "a\x7f", "schlüssel-€"])
def test_a_secret_no_header_can_carry_is_named_and_not_shown(secret: str):
    with pytest.raises(SecretError) as raised:
        authorization(secret, "bearer")
    assert raised.value.hint
    assert len(secret) < 3 or secret not in str(raised.value)


def test_a_mode_that_is_no_header_name_is_refused():
    with pytest.raises(SecretError, match="header name"):
        authorization("k", "x y")


def test_the_admin_key_has_a_header_of_its_own_and_may_be_a_bearer():
    bearer = {"authorization": "Bearer abc"}
    assert admin_key(bearer) == "abc"
    assert admin_key(bearer | {"x-maxpool-admin-key": " m "}) == "m"
    for other in ({"x-api-key": "k"}, {"x-maxpool-key": "k"}, {"authorization": "Basic abc"}, {}):
        assert admin_key(other) is None


def test_the_client_key_comes_from_its_own_header_first():
    bearer = {"authorization": "bearer  abc "}
    assert client_key(bearer) == "abc"
    assert client_key(bearer | {"x-api-key": "k"}) == "k"
    assert client_key(bearer | {"x-api-key": "k", "x-maxpool-key": "m"}) == "m"
    assert client_key({"authorization": "Basic abc"}) is None
    assert client_key({}) is None


def test_a_field_that_no_answer_may_carry_is_left_out():
    odd = [
        (b"x-a", b"a\x01b"),
        (b"x-b", b"a\tb"),
        (b"x-c", b"\x7f"),
        (b"x\x00", b"d"),
        (b"x-e", b"\xe9"),
        (b"x-f ", b"g"),
        (b"x\ny", b"i"),
    ]
    assert inbound(odd, drop_ratelimit=False) == [odd[1], odd[4]]


def test_repeated_fields_are_joined_under_a_lower_case_name():
    assert fields([(b"A", b"1"), (b"b", b"\xe9"), (b"a", b"2")]) == {"a": "1, 2", "b": "é"}


def test_an_upstreams_hygiene_headers_stay_and_its_origins_do_not_pass():
    upstream = [
        *(
            (b"Content-Type", b"application/json"),
            (b"content-length", b"12"),
            (b"request-id", b"r"),
            (b"Date", b"x"),
        ),
        *((b"content-encoding", b"gzip"), (b"anthropic-ratelimit-unified-status", b"allowed")),
        *((b"Set-Cookie", b"a"), (b"Server", b"x"), (b"alt-svc", b"h3")),
        *(
            (b"access-control-allow-origin", b"*"),
            (b"connection", b"close, x-hop"),
            (b"x-hop", b""),
        ),
        *((b"transfer-encoding", b"chunked"), (b"x-maxpool-account", b"forged")),
    ]
    assert inbound(upstream, drop_ratelimit=False) == upstream[:6]
    ours = (b"anthropic-ratelimit-unified-status", b"allowed_warning")
    assert inbound(upstream, drop_ratelimit=True, extra=(ours,)) == [*upstream[:5], ours]


@pytest.mark.parametrize(
    "headers",
    [
        [(b"a", b"1\r\nx: y")],
        [(b"a", b"1\n")],
        [(b"a", b"\0")],
        [(b"a\n", b"1")],
        [(b"a b", b"1")],
        [(b"", b"1")],
        [(b"a:", b"1")],
        [(b"content-length", b"1"), (b"Content-Length", b"2")],
        [(b"content-length", b"+1")],
        [(b"content-length", b"1, 2")],
        [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")],
        [(b"a", b"x" * 200_000)],
        [(b"a", b"x")] * 1000,
    ],
)
def test_header_tricks_are_a_clean_400(headers: list[tuple[bytes, bytes]]):
    with pytest.raises(RequestError) as raised:
        checked(headers)
    assert raised.value.status == 400


def test_real_headers_pass_the_check():
    for client in ("claude-code", "codex", "opencode", "python-sdk"):
        row = captures.recorded(client)
        checked([(name.encode(), value.encode()) for name, value in row["headers"]])
    checked([])
    checked([(b"content-length", b"1"), (b"content-length", b"1"), (b"empty", b"")])


@pytest.mark.parametrize(
    ("value", "bearer"),
    [
        ("Bearer sk-ant-oat01-a_b-C", "sk-ant-oat01-a_b-C"),
        ("bearer  sk-ant-oat01-a ", "sk-ant-oat01-a"),
        ("Bearer sk-ant-api03-a", None),
        ("Bearer sk-ant-oat", None),
        ("Bearer sk-ant-oat01-a, Bearer sk-ant-oat01-b", None),
        ("sk-ant-oat01-a", None),
        ("Basic sk-ant-oat01-a", None),
        ("Bearer sk-ant-oat01-ä", None),
    ],
)
def test_a_clients_own_login_is_an_oauth_bearer_and_nothing_else(value, bearer):
    assert own_login({"authorization": value}) == bearer
    assert own_login({"x-api-key": value}) is None


def test_a_clients_own_bearer_stays_where_and_as_it_was_and_no_key_stays_with_it():
    bearer = (b"Authorization", b"bearer  sk-ant-oat01-a")
    headers = [(b"a", b"1"), bearer, (b"b", b"2"), (b"x-api-key", b"k"), (b"X-Maxpool-Key", b"k")]
    passed = outbound(headers, authorization=None, own=True)
    assert passed[:-1] == [(b"a", b"1"), bearer, (b"b", b"2")]


NAMES = st.sampled_from(
    [
        *(b"Connection", b"Content-Length", b"Transfer-Encoding", b"Accept-Encoding", b"Cookie"),
        *(b"Authorization", b"x-api-key", b"x-maxpool-key", b"anthropic-beta", b"x-forwarded-for"),
        *(b"anthropic-ratelimit-x", b"Set-Cookie", b"access-control-allow-origin", b"X-A", b""),
    ]
)
FIELDS = st.lists(st.tuples(NAMES | st.binary(max_size=9), st.binary(max_size=30)), max_size=12)


@given(FIELDS)
def test_any_fields_at_all_are_passed_or_refused_with_a_400(raw):
    status = 0
    try:
        checked(raw)
    except RequestError as refused:
        status = refused.status
    assert status in (0, 400)
    if not status:
        assert not any(
            mark in name + value for name, value in raw for mark in (b"\n", b"\r", b"\0")
        )
        assert all(name for name, _ in raw)
    told = fields(raw)
    for read in (client_key, own_login, admin_key):
        assert read(told) is None or read(told)


@given(FIELDS, st.booleans())
def test_whatever_fields_come_what_must_not_go_upstream_does_not(raw, oauth):
    out = outbound(raw, authorization=KEY, oauth=oauth)
    names = [name.lower() for name, _ in out]
    assert not {b"connection", b"content-length", b"transfer-encoding", b"cookie"} & set(names)
    assert [value for name, value in out if name.lower() == b"x-api-key"] == [KEY[1]]
    assert names.count(b"accept-encoding") == 1
    assert not any(name.startswith((b"x-maxpool-", b"x-forwarded-")) for name in names)


@given(FIELDS)
def test_whatever_fields_come_what_must_not_come_back_does_not(raw):
    out = inbound(raw, drop_ratelimit=True)
    names = {name.lower() for name, _ in out}
    assert not {b"connection", b"transfer-encoding", b"set-cookie"} & names
    assert not any(n.startswith((b"access-control-", b"anthropic-ratelimit-")) for n in names)
    assert not any(mark in name + value for name, value in out for mark in (b"\n", b"\r", b"\0"))

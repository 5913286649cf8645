"""The OAuth client: what goes over the wire, and what each kind of answer means for the token sent."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, urlsplit

import pytest

from maxpool.adapters.oauth import (
    HttpTokenEndpoint,
    authorization_url,
    new_state,
    new_verifier,
)
from maxpool.adapters.upstream import HttpUpstream
from maxpool.config.oauth import OAuthProfileConfig
from maxpool.errors import SecretError
from maxpool.ports import Ambiguous, Rejected, Retryable, Secret, TokenPair
from maxpool.sim.oauth import s256
from tests.adapters.peers import peer

TOKEN = Secret("rt-0123456789-0123456789")
GOOD = {"access_token": "at-1", "refresh_token": "rt-2", "expires_in": 600, "scope": "a b"}


def profile(url="http://127.0.0.1:1", **given) -> OAuthProfileConfig:
    urls = {"authorize_url": f"{url}/authorize", "token_url": f"{url}/token"}
    return OAuthProfileConfig.model_validate({**urls, "client_id": "me", **given})


def answering(status=200, body=b"", *headers: bytes):
    """A peer that gives every request this answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = b"".join(b"%s\r\n" % header for header in headers)
    head = b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n%s\r\n" % (status, len(data), lines)

    async def script(one, reader, writer):
        while True:
            await one.request(reader)
            writer.write(head + data)
            await writer.drain()

    return script


@asynccontextmanager
async def endpoint(script, read_timeout_s=5.0, client_secret=None, **given):
    async with peer(script) as one:
        upstream = HttpUpstream(keepalive_expiry_s=0.0)
        yield (
            one,
            HttpTokenEndpoint(
                profile=profile(one.url, **given),
                upstream=upstream,
                read_timeout_s=read_timeout_s,
                client_secret=client_secret,
            ),
        )
        await upstream.aclose()


async def refreshed(script, **given):
    async with endpoint(script, **given) as (_, asked):
        return await asked.refresh(TOKEN, ("a", "b"))


def test_a_sign_in_sends_the_challenge_and_never_the_verifier():
    verifier, state = new_verifier(), new_state()
    url = authorization_url(profile(scopes=["a", "b"]), "http://localhost:1/cb", verifier, state)
    query = dict(parse_qsl(urlsplit(url).query))
    assert query == {
        "response_type": "code",
        "client_id": "me",
        "redirect_uri": "http://localhost:1/cb",
        "scope": "a b",
        "state": state,
        "code_challenge": s256(verifier),
        "code_challenge_method": "S256",
    }
    assert verifier not in url


def test_verifiers_and_states_are_fresh_and_as_long_as_the_rfc_wants():
    assert 43 <= len(new_verifier()) <= 128
    assert len({new_verifier() for _ in range(20)} | {new_state() for _ in range(20)}) == 40


@pytest.mark.parametrize("kind", ["form", "json"])
async def test_a_refresh_names_token_scopes_and_client(kind):
    async with endpoint(answering(200, GOOD), token_body=kind) as (one, asked):
        got = await asked.refresh(TOKEN, ("a", "b"))
        (body,) = one.bodies
        sent = json.loads(body) if kind == "json" else dict(parse_qsl(body.decode()))
    assert sent == {
        "grant_type": "refresh_token",
        "refresh_token": TOKEN.reveal(),
        "scope": "a b",
        "client_id": "me",
    }
    assert got == TokenPair(
        access_token=Secret("at-1"),
        refresh_token=Secret("rt-2"),
        expires_in_s=600.0,
        scopes=("a", "b"),
    )


async def test_an_exchange_sends_the_verifier_and_the_clients_own_secret():
    async with endpoint(answering(200, GOOD), client_secret=lambda: Secret("shh")) as (one, asked):
        await asked.exchange(
            Secret("the-code"), verifier=Secret("the-verifier"), redirect_uri="http://x", state="s"
        )
        sent = dict(parse_qsl(one.bodies[0].decode()))
    assert sent == {
        "grant_type": "authorization_code",
        "code": "the-code",
        "redirect_uri": "http://x",
        "code_verifier": "the-verifier",
        "client_id": "me",
        "client_secret": "shh",
    }


@pytest.mark.parametrize(
    ("body", "expires_in_s"),
    [
        ({"access_token": "a"}, None),
        ({"access_token": "a", "expires_in": "90"}, 90.0),
        ({"access_token": "a", "expires_in": 0}, None),
        ({"access_token": "a", "expires_in": True}, None),
        ({"access_token": "a", "expires_in": 1e300}, None),
        ({"access_token": "a", "expires_in": [1], "scope": 7, "refresh_token": ""}, None),
    ],
)
async def test_odd_answers_with_a_token_are_taken_for_what_they_say(body, expires_in_s):
    got = await refreshed(answering(200, body))
    assert isinstance(got, TokenPair)
    assert (got.expires_in_s, got.refresh_token, got.scopes) == (expires_in_s, None, ())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"{",
        b"\xff\xfe",
        b"[" * 50_000,
        b"{}",
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "a\r\nX-Evil: 1"},
        {"access_token": "a", "refresh_token": {"x": 1}},
        b'{"access_token": "a", "filler": "' + b"x" * 70_000 + b'"}',
    ],
)
async def test_a_good_status_without_tokens_leaves_everything_open(body):  # T1
    assert isinstance(await refreshed(answering(200, body)), Ambiguous)


@pytest.mark.parametrize("status", [400, 401, 200])
async def test_an_oauth_error_is_a_refusal(status):
    body = {"error": "invalid_grant", "error_description": "no\nmore"}
    got = await refreshed(answering(status, body))
    assert got == Rejected(error="invalid_grant", description="no more")


@pytest.mark.parametrize("word", ["invalid_grant", "invalid_grant_error"])
async def test_an_error_in_an_envelope_of_its_own_is_understood(word):  # T5
    body = {"type": "error", "error": {"type": word, "message": "gone"}}
    assert await refreshed(answering(400, body)) == Rejected(
        error="invalid_grant", description="gone"
    )


async def test_a_refusal_that_quotes_the_token_is_not_passed_on():  # O6
    body = {"error": "invalid_grant", "error_description": f"{TOKEN.reveal()} is unknown"}
    assert await refreshed(answering(400, body)) == Rejected(error="invalid_grant")


@pytest.mark.parametrize("status", [301, 307, 400, 403, 404, 408, 429, 500, 502, 503, 529])
async def test_a_status_that_refuses_without_a_verdict_may_be_asked_again(status):  # T1
    got = await refreshed(answering(status, b"<html>", b"Retry-After: 7", b"Location: /other"))
    assert isinstance(got, Retryable)
    assert got.retry_after_s == 7.0


@pytest.mark.parametrize("code", ["temporarily_unavailable", "server_error", "slow_down"])
async def test_an_error_that_says_later_is_no_refusal(code):
    assert isinstance(await refreshed(answering(400, {"error": code})), Retryable)


@pytest.mark.parametrize("status", [504, 520, 524])
async def test_a_gateway_that_waited_in_vain_leaves_everything_open(status):  # T1
    assert isinstance(await refreshed(answering(status, b"")), Ambiguous)


async def test_a_redirect_is_not_followed():
    async with endpoint(answering(307, b"", b"Location: /other")) as (one, asked):
        await asked.refresh(TOKEN, ())
        assert one.connections == 1


async def test_nothing_is_sent_twice_when_the_connection_breaks_or_stays_silent():  # T1
    async def breaks(one, reader, writer):
        await one.request(reader)

    async def silent(one, reader, writer):
        await one.request(reader)
        await one.left(reader)

    async def half(one, reader, writer):
        await one.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{")
        await writer.drain()
        await one.left(reader)

    for script in (breaks, silent, half):
        async with endpoint(script, read_timeout_s=0.2) as (one, asked):
            assert isinstance(await asked.refresh(TOKEN, ()), Ambiguous)
            assert one.connections == 1


async def test_no_connection_means_that_nothing_was_sent():  # T1
    for url in ("http://127.0.0.1:1", "http://nobody.invalid", "https://127.0.0.1:1"):
        asked = HttpTokenEndpoint(profile=profile(url), upstream=HttpUpstream())
        assert isinstance(await asked.refresh(TOKEN, ()), Retryable)


async def test_a_peer_without_tls_is_sent_nothing():  # T1
    async with peer(answering(200, GOOD)) as one:
        url = one.url.replace("http:", "https:")
        asked = HttpTokenEndpoint(
            profile=profile(url), upstream=HttpUpstream(), connect_timeout_s=0.3
        )
        assert isinstance(await asked.refresh(TOKEN, ()), Retryable)
        assert one.bodies == []


async def test_a_client_secret_that_cannot_be_read_sends_nothing():
    def gone() -> Secret:
        raise SecretError("it is not set", "Set it.")

    async with endpoint(answering(200, GOOD), client_secret=gone) as (one, asked):
        assert isinstance(await asked.refresh(TOKEN, ()), Retryable)
        assert not await asked.revoke(TOKEN)
        assert one.bodies == []


async def test_revoking_tells_whether_it_worked():
    async with peer(answering(200, b"{}")) as one:
        for url, worked in ((f"{one.url}/revoke", True), ("http://127.0.0.1:1", False)):
            given = profile(one.url, revoke_url=url)
            asked = HttpTokenEndpoint(profile=given, upstream=HttpUpstream())
            assert await asked.revoke(TOKEN) is worked
        assert dict(parse_qsl(one.bodies[0].decode()))["token"] == TOKEN.reveal()
    asked = HttpTokenEndpoint(profile=profile(), upstream=HttpUpstream())
    assert not await asked.revoke(TOKEN), "without such an endpoint nothing is known"


async def test_an_endless_answer_is_given_up():
    async def endless(one, reader, writer):
        await one.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b" " * 4096 + b"\r\n")
            await writer.drain()

    async with asyncio.timeout(5.0):
        assert isinstance(await refreshed(endless), Ambiguous)

"""Against the simulated upstream, and against raw answers, over loopback."""

from __future__ import annotations

import json

import pytest

from maxpool.adapters.server import Server
from maxpool.adapters.upstream import HttpUpstream
from maxpool.ports import Destination, Secret
from maxpool.service.verifying import Refused, Unverified, Verified, identify, verify
from maxpool.sim.upstream import SimUpstream
from tests.adapters.peers import peer, replying
from tests.rig import key, plan


@pytest.fixture
async def upstream():
    client = HttpUpstream()
    yield client
    await client.aclose()


@pytest.fixture
async def world():
    sim = SimUpstream([key("console"), plan("max"), key("silent")])
    server = Server(sim.app, graceful_s=0.0)
    await server.start()
    yield sim, server.url
    await server.stop(0.0)


@pytest.mark.parametrize("account", [key("console"), plan("max")])
async def test_a_good_credential_is_verified_with_its_organisation(upstream, world, account):
    sim, url = world
    found = await verify(upstream, Destination(base_url=url), Secret(account.secret))
    assert found == Verified(organization_uuid=account.organization_id)
    assert [(s.method, s.path, s.query) for s in sim.requests] == [("GET", "/v1/models", "limit=1")]


async def test_a_wrong_credential_is_refused_in_the_services_words(upstream, world):
    found = await verify(upstream, Destination(base_url=world[1]), Secret("sk-ant-api03-wrong"))
    assert found == Refused("it answered 401: invalid x-api-key")


async def test_a_profile_says_whose_login_it_is(upstream, world):
    account = plan("max")
    found = await identify(upstream, f"{world[1]}/api/oauth/profile", Secret(account.secret))
    assert found == Verified(
        account_uuid=account.person_id, organization_uuid=account.organization_id
    )


async def test_without_a_network_nobody_can_tell(upstream):
    found = await verify(upstream, Destination(base_url="http://127.0.0.1:9"), Secret("k"))
    assert found == Unverified("it could not be reached (refused)")


def reply(status: str, body: object = None, **headers: str) -> bytes:
    text = json.dumps(body).encode()
    fields = {"content-length": str(len(text)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + text


def error(message: str) -> object:
    return {"error": {"message": message}}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (reply("404 Not Found"), Unverified),
        (reply("429 Slow", error("slow down")), Unverified),
        (reply("500 Oops"), Unverified),
        (reply("401 No", error("OAuth authentication is currently not supported.")), Unverified),
        (reply("401 No"), Refused),
        (reply("403 No", error("OAuth token does not meet scope requirement")), Unverified),
        (reply("403 No", error("OAuth token has been revoked.")), Refused),
        (reply("200 OK", ["anything"]), Verified),
    ],
)
async def test_only_a_plain_no_refuses_a_credential(upstream, answer, expected):
    async with peer(replying(answer)) as other:
        found = await verify(upstream, Destination(base_url=other.url), Secret("k"))
        assert isinstance(found, expected), found


async def test_an_answer_that_breaks_off_tells_nothing(upstream):
    cut = replying(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", then_close=True)
    async with peer(cut) as other:
        found = await verify(upstream, Destination(base_url=other.url), Secret("k"))
        assert found == Unverified("its answer broke off")


async def test_a_credential_is_never_sent_along_a_redirect(upstream):  # X5
    async with peer(replying(reply("200 OK"))) as elsewhere:
        there = reply("302 Found", None, location=f"{elsewhere.url}/v1/models")
        async with peer(replying(there)) as first:
            found = await verify(upstream, Destination(base_url=first.url), Secret("k"))
        assert isinstance(found, Unverified)
        assert "redirects" in found.why
        assert not elsewhere.heads


async def test_a_service_that_quotes_the_credential_is_not_quoted(upstream):  # O6
    value = "sk-local-0123456789abcdef"
    async with peer(replying(reply("401 No", error(f"unknown key {value}")))) as other:
        found = await verify(upstream, Destination(base_url=other.url), Secret(value))
        assert found == Refused("it answered 401")

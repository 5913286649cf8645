"""Who may talk to the server, and what it never lets through (X1, X2, X5, X6, X12)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from maxpool.config.model import Config
from maxpool.errors import BindError
from maxpool.ports import Secret
from maxpool.sim import faults
from maxpool.web.guard import rules_of
from tests.adapters.peers import peer
from tests.rig import JSON, ask, key, request_bytes, rig, until

DIGEST = hashlib.sha256(b"the-client-key").hexdigest()
KEYS = [{"name": "laptop", "sha256": DIGEST}]
PATHS = ["/v1/messages", "/v1/models", "/status", "/", "/nowhere"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3456", "127.0.0.1.evil.example", "", "127.0.0.2"]
)
async def test_dns_rebinding_gets_a_403_everywhere(path, host):  # X1
    async with rig() as it:
        client = await it.connect()
        body = ask() if path == "/v1/messages" else b""
        wire = request_bytes(body, path, host=host, connection="close")
        if not body:
            wire = wire.replace(b"POST", b"GET", 1)
        await client.send(wire)
        got = await client.rest()
        assert got.startswith(b"HTTP/1.1 403 ")
        assert b'"permission_error"' in got
        assert not it.asked()


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "https://127.0.0.1"]
)
async def test_a_web_page_can_neither_spend_nor_read(origin):  # X1
    async with rig() as it:
        got = await it.post(headers={"origin": origin})
        assert got.error == (403, "permission_error")
        read = await it.get("/status", headers={"origin": origin})
        assert read.status == 403
        assert not [n for n in (*got.fields, *read.fields) if n.startswith("access-control")]
        assert not it.asked()


async def test_a_page_of_another_site_is_refused_without_an_origin_too():
    async with rig() as it:
        for site in ("cross-site", "same-site"):
            assert (await it.get("/status", headers={"sec-fetch-site": site})).status == 403
        assert (await it.get("/status", headers={"sec-fetch-site": "none"})).status == 200


async def test_a_preflight_gets_no_permission():
    async with rig() as it:
        asked = {"origin": "http://evil.example", "access-control-request-method": "POST"}
        got = await it.send("OPTIONS", "/v1/messages", asked, b"")
        assert got.status == 403
        assert "access-control-allow-origin" not in got.fields


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""],
)
async def test_a_post_that_a_form_could_send_is_refused(kind):
    async with rig() as it:
        assert (await it.post(headers={"content-type": kind})).status == 415
        assert not it.asked()


async def test_the_servers_own_page_and_named_origins_are_let_in():
    async with rig(
        server={"allowed_origins": ["https://mine.example"], "allowed_hosts": ["pool.lan"]}
    ) as it:
        assert (await it.get("/status", headers={"origin": it.url})).status == 200
        assert (await it.post(headers={"origin": "https://mine.example"})).whole
        client = await it.connect()
        await client.send(request_bytes(host="POOL.lan:80", connection="close"))
        assert b"message_stop" in await client.rest()


# -- keys ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shown",
    [
        {"x-api-key": "the-client-key"},
        {"authorization": "Bearer the-client-key"},
        {"authorization": "bearer  the-client-key"},
        {"x-maxpool-key": "the-client-key", "x-api-key": "another"},
    ],
)
async def test_a_key_is_taken_from_any_of_its_headers_and_never_goes_upstream(shown):
    async with rig(server={"require_key": True}, client_keys=KEYS) as it:
        assert (await it.post(headers=shown)).whole
        sent = b"".join(value for _, value in it.sim.requests[-1].headers)
        assert b"the-client-key" not in sent


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"x-api-key": "wrong"},
        {"authorization": "Basic dGhlLWNsaWVudC1rZXk="},
        {"x-api-key": DIGEST},
        {"x-api-key": "the-client-key, x"},
    ],
)
async def test_without_its_key_nobody_gets_anything(shown):
    async with rig(server={"require_key": True}, client_keys=KEYS) as it:
        for path in ("/v1/models", "/status", "/", "/status.css", "/nowhere"):
            assert (await it.get(path, headers=shown)).status == 401
        got = await it.post(headers=shown)
        assert got.error == (401, "authentication_error")
        assert got.fields["x-should-retry"] == "false"
        assert not it.sim.requests


async def test_two_keys_never_share_a_conversation():
    keys = [*KEYS, {"name": "other", "sha256": hashlib.sha256(b"k2").hexdigest()}]
    async with rig(server={"require_key": True}, client_keys=keys) as it:
        for one in ("the-client-key", "k2"):
            await it.post(headers={"x-api-key": one, "x-claude-code-session-id": "same"})
        shown = await it.get("/status", headers={"x-api-key": "k2"})
        assert {s["session"] for s in shown.json["sessions"]["list"]} == {
            "laptop:same",
            "other:same",
        }


def test_keys_are_held_as_hashes_only():
    config = Config.model_validate({"client_keys": [{"name": "a", "key": "env:K"}]})
    rules = rules_of(config, lambda _: Secret("the-client-key"))
    assert rules.keys == (("a", DIGEST),)
    assert "the-client-key" not in repr(rules)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "pool.lan"])
def test_beyond_loopback_the_server_refuses_to_start_without_a_key(host):  # X2
    with pytest.raises(BindError, match="open to other machines"):
        rules_of(Config.model_validate({"server": {"host": host}}), lambda _: Secret(""))
    config = Config.model_validate({"server": {"host": host}, "client_keys": KEYS})
    assert rules_of(config, lambda _: Secret("")).require_key


# -- bearers ---------------------------------------------------------------------------------------


async def test_a_redirect_is_not_followed_and_the_bearer_stays_at_its_origin():  # X5
    async def thief(one, reader, writer):
        await one.request(reader)

    async with peer(thief) as other, rig(key("a")) as it:
        for where in (other.url + "/v1/messages", "//evil.example/", "/v1/messages?again"):
            it.sim.inject(faults.redirect(where), "a")
            got = await it.post()
            assert got.error == (502, "api_error")
            assert "location" not in got.fields
        assert other.connections == 0
        assert it.asked() == ["a"] * 3


async def test_a_moved_accounts_bearer_goes_nowhere_until_its_owner_confirms():
    async with rig(key("a")) as it:
        (account_id,) = it.proxy.destinations
        it.proxy.origins.bound[account_id] = "https://elsewhere.example"
        it.proxy.bind_origins()
        assert (await it.state("a"))["state"] == "locked_out"
        assert (await it.post()).status == 502
        assert (await it.get("/v1/models")).status == 200
        assert not it.sim.requests
        it.proxy.bind_origins(("a",))
        assert (await it.post()).whole


async def test_an_account_that_moves_between_two_tries_is_not_tried_again():
    async with rig(limits={"retry_same_s": (0.2, 0.2)}) as it:
        it.sim.inject(faults.overloaded(), "a", times=None)
        answer = asyncio.ensure_future(it.post())
        await until(lambda: it.asked() == ["a"])
        account_id = next(iter(it.proxy.destinations))
        it.proxy.origins.bound[account_id] = "https://elsewhere.example"
        it.proxy.bind_origins()
        assert (await answer).account in ("b", "c")
        assert it.asked().count("a") == 1


class Changing:
    """A secret that its owner changes."""

    def __init__(self, value: str) -> None:
        self.value = value

    def resolve(self, reference: str) -> Secret:
        return Secret(self.value)


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_an_account_that_moved_is_not_revived_by_a_new_secret(when):
    source = Changing("sk-ant-api03-old")
    async with rig(key("a")) as it:
        (account_id,) = it.proxy.destinations
        it.proxy.tokens.source = source
        assert (await it.post()).status == 502

        def move() -> None:
            it.proxy.origins.bound[account_id] = "https://elsewhere.example"
            it.proxy.bind_origins()

        source.value = key("a").secret
        if when == "before":
            move()
            await it.proxy.revival.look()
        else:
            looking = asyncio.ensure_future(it.proxy.revival.look())
            await asyncio.sleep(0)  # its look-up is on the way, in a thread
            move()
            await looking
        assert (await it.state("a"))["state"] == "locked_out"
        assert (await it.post()).status == 502
        assert not [s for s in it.sim.requests if s.header("x-api-key") == source.value]


# -- smuggling -------------------------------------------------------------------------------------

HEAD = b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
TRICKS = {
    "two lengths": b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    "length and chunked": b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    "two codings": b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "twice chunked": b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "odd coding": b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "signed length": b"content-length: +5\r\n\r\nhello",
    "negative length": b"content-length: -5\r\n\r\nhello",
    "hex length": b"content-length: 0x5\r\n\r\nhello",
    "list of lengths": b"content-length: 5, 5\r\n\r\nhello",
    "space before colon": b"content-length : 5\r\n\r\nhello",
    "NUL in a value": b"x-a: b\x00c\r\ncontent-length: 5\r\n\r\nhello",
    "CR in a value": b"x-a: b\rc: d\r\ncontent-length: 5\r\n\r\nhello",
    "folded line": b"x-a: b\r\n c\r\ncontent-length : 5\r\n\r\nhello",
    "name with a space": b"x a: b\r\ncontent-length: 5\r\n\r\nhello",
    "no name": b": b\r\ncontent-length: 5\r\n\r\nhello",
    "two hosts": b"host: evil.example\r\ncontent-length: 5\r\n\r\nhello",
    "a thousand fields": b"x-a: b\r\n" * 1000 + b"content-length: 5\r\n\r\nhello",
    "a huge field": b"x-a: " + b"b" * 200_000 + b"\r\ncontent-length: 5\r\n\r\nhello",
    "upgrade": b"connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 5\r\n\r\nhello",
    "bad chunk size": b"transfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS.keys())
async def test_header_tricks_get_a_400_and_nothing_is_forwarded(trick):  # X6
    async with rig() as it:
        client = await it.connect()
        await client.send(HEAD + trick)
        got = b""
        while b"\r\n\r\n" not in got and (chunk := await client.read()):
            got += chunk
        assert got.startswith(b"HTTP/1.1 400 "), got[:200]
        client.close()
        assert not it.sim.requests
        await until(it.idle)


@pytest.mark.parametrize(
    "line",
    [
        b"GET /status HTTP/9.9",
        b"G\x00T / HTTP/1.1",
        b"\x16\x03\x01\x02\x00",
    ],
)
async def test_a_broken_request_line_gets_a_400(line):
    async with rig() as it:
        client = await it.connect()
        await client.send(line + b"\r\nhost: 127.0.0.1\r\n\r\n")
        assert (await client.read()).startswith(b"HTTP/1.1 400 ")
        client.close()


# -- wrong requests --------------------------------------------------------------------------------


async def test_unknown_paths_and_methods_are_told_in_the_apis_shape():  # R21
    async with rig() as it:
        for path in (
            "/v1/complete",
            "/v1/messages/",
            "/v1/messages/batches/a/b",
            "/v2",
            "/status/x",
            "/%2e%2e/etc",
        ):
            got = await it.get(path)
            assert got.error == (404, "not_found_error")
            assert got.fields["x-should-retry"] == "false"
        for method in ("GET", "PUT", "DELETE", "HEAD", "OPTIONS"):
            got = await it.send(method, "/v1/messages", JSON, b"")
            assert got.status == 405
        assert (await it.get("/v1/messages/count_tokens")).error == (405, "invalid_request_error")
        assert (await it.send("DELETE", "/v1/models", {}, b"")).error == (
            405,
            "invalid_request_error",
        )
        assert not it.sim.requests


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b"{}",
        b'{"model":7}',
        b'{"model":""}',
        b'{"model":null}',
        b"nul",
        b"[" * 100_000,
        b'{"model":"a"',
    ],
    ids=range(11),
)
async def test_a_body_that_is_no_request_is_a_400(body):
    async with rig() as it:
        got = await it.post(body)
        assert got.error == (400, "invalid_request_error")
        assert got.fields["x-should-retry"] == "false"
        assert not it.sim.requests
        assert it.proxy.stats.internal_errors == 0


async def test_an_empty_body_is_a_400():
    async with rig() as it:
        assert (await it.send("POST", "/v1/messages", JSON, b"")).error == (
            400,
            "invalid_request_error",
        )


async def test_an_absurd_address_is_refused():
    async with rig() as it:
        got = await it.post(path="/v1/messages?" + "x" * 9000)
        assert got.error == (414, "invalid_request_error")
        assert not it.sim.requests


async def test_a_body_that_packs_badly_is_a_400():
    async with rig() as it:
        for coding in ("gzip", "br", "gzip, gzip", "nonsense"):
            got = await it.post(headers={"content-encoding": coding})
            assert got.status in (400, 415)
        assert not it.sim.requests


# -- no telemetry ----------------------------------------------------------------------------------

AUDITED = """
import asyncio, sys
seen = set()
def hook(name, args):
    if name == "socket.connect":
        seen.add(args[1][:2] if isinstance(args[1], tuple) else args[1])
    elif name in ("socket.getaddrinfo", "socket.gethostbyname"):
        seen.add(("lookup", args[0]))
sys.addaudithook(hook)
from tests.rig import ask, rig
async def main():
    async with rig() as it:
        allowed = {("127.0.0.1", it.server.port), ("127.0.0.1", it.upstream.port)}
        for stream in (True, False):
            assert (await it.post(ask(stream=stream))).whole
        for path in ("/v1/models", "/status", "/", "/status?format=html", "/readyz"):
            assert (await it.get(path)).status == 200
        strange = {s for s in seen if s not in allowed and s[0] != "lookup"}
        strange |= {s for s in seen if s[0] == "lookup" and s[1] not in ("127.0.0.1", b"127.0.0.1")}
        print(sorted(map(str, strange)))
asyncio.run(main())
"""


@pytest.mark.slow
def test_nothing_is_connected_to_but_the_configured_origins():  # X12
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", AUDITED],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.strip().replace("'", '"')) == []

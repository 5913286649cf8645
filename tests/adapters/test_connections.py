from __future__ import annotations

import asyncio
import base64

import pytest

from maxpool.adapters.connections import Address, Proxy
from maxpool.adapters.server import Server
from maxpool.adapters.upstream import HttpUpstream
from maxpool.ports import Reply, Unreachable
from tests.adapters.certificates import self_signed
from tests.adapters.peers import OK, call, forwarding, peer, replying


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("tls"))


async def text(answer) -> bytes:
    assert isinstance(answer, Reply), answer
    return b"".join([chunk async for chunk in answer.stream])


def test_an_address_keeps_the_urls_own_bytes():
    address = Address.parse("https://[::1]:8443/a%2fb/../c?x=%41#fragment")
    assert (address.scheme, address.host, address.port) == ("https", "::1", 8443)
    assert address.authority == b"[::1]:8443"
    assert address.target == b"/a%2fb/../c?x=%41"


@pytest.mark.parametrize(
    ("url", "port", "target"),
    [("http://a", 80, b"/"), ("https://a", 443, b"/"), ("http://a?x=1", 80, b"/?x=1")],
)
def test_an_address_without_port_or_path_gets_the_defaults(url, port, target):
    address = Address.parse(url)
    assert (address.port, address.target, address.authority) == (port, target, b"a")


def test_a_proxys_login_is_decoded_and_sent_as_basic():
    proxy = Proxy.parse("http://us%40er:p%3Ass@proxy:3128")
    assert (proxy.host, proxy.port) == ("proxy", 3128)
    assert proxy.headers == ((b"Proxy-Authorization", b"Basic " + base64.b64encode(b"us@er:p:ss")),)


async def test_tls_is_verified_against_the_given_authority(tls):
    certificate, _, context = tls
    async with peer(replying(OK), ssl=context) as one:
        for host in ("127.0.0.1", "localhost"):
            client = HttpUpstream(ca_file=certificate, proxy_for=lambda scheme, host: None)
            for _ in range(2):
                url = f"https://{host}:{one.port}/"
                assert await text(await client.send(call(url))) == b"ok"
            await client.aclose()
        assert one.connections == 2


async def test_an_unknown_authority_is_a_tls_failure_and_nothing_was_sent(tls):
    async with peer(replying(OK), ssl=tls[2]) as one:
        client = HttpUpstream(proxy_for=lambda scheme, host: None)
        answer = await client.send(call(f"https://127.0.0.1:{one.port}/"))
        assert isinstance(answer, Unreachable)
        assert (answer.kind, answer.sent, one.heads) == ("tls", False, [])
        assert "verify" in answer.detail
        await client.aclose()


async def test_a_peer_that_speaks_no_tls_is_a_tls_failure():
    async with peer(replying(OK)) as one:
        client = HttpUpstream(proxy_for=lambda scheme, host: None)
        answer = await client.send(call(f"https://127.0.0.1:{one.port}/", connect=0.5))
        assert isinstance(answer, Unreachable)
        assert answer.kind in ("tls", "timeout", "reset")
        assert not answer.sent
        await client.aclose()


async def test_a_handshake_that_hangs_ends_at_the_connect_limit():
    async def script(one, reader, writer):
        await one.left(reader)

    async with peer(script) as one:
        client = HttpUpstream(proxy_for=lambda scheme, host: None)
        answer = await client.send(call(f"https://127.0.0.1:{one.port}/", connect=0.1))
        assert isinstance(answer, Unreachable)
        assert (answer.kind, answer.sent) == ("timeout", False)
        async with asyncio.timeout(30):
            await one.gone.wait()
        await client.aclose()


async def test_plain_http_goes_through_a_proxy_in_absolute_form():
    async with peer(replying(OK)) as proxy:
        client = HttpUpstream(proxy_for=lambda scheme, host: f"http://u:p@127.0.0.1:{proxy.port}")
        assert await text(await client.send(call("http://upstream.test/a?b=%20"))) == b"ok"
        assert proxy.heads[0].startswith(b"POST http://upstream.test/a?b=%20 HTTP/1.1\r\n")
        assert b"Host: upstream.test\r\n" in proxy.heads[0]
        assert b"Proxy-Authorization: Basic dTpw\r\n" in proxy.heads[0]
        await client.aclose()


async def test_https_goes_through_a_tunnel_and_is_verified_end_to_end(tls):
    certificate, _, context = tls
    async with peer(replying(OK), ssl=context) as one, peer(forwarding(one.port)) as proxy:
        client = HttpUpstream(
            ca_file=certificate, proxy_for=lambda scheme, host: f"http://127.0.0.1:{proxy.port}"
        )
        headers = [(b"authorization", b"Bearer sk-secret")]
        for _ in range(2):
            url = "https://localhost:8443/x"
            assert await text(await client.send(call(url, headers=headers))) == b"ok"
        assert proxy.connections == 1
        assert proxy.heads[0].startswith(b"CONNECT localhost:8443 HTTP/1.1\r\n")
        assert b"sk-secret" not in proxy.heads[0]
        await client.aclose()


@pytest.mark.parametrize(
    "proxy_url", ["http://127.0.0.1:{port}", "socks5://127.0.0.1:{port}", "http://127.0.0.1:99999"]
)
async def test_a_proxy_that_refuses_or_cannot_be_used_is_named_as_such(proxy_url):
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with peer(replying(refusal)) as proxy:
        client = HttpUpstream(proxy_for=lambda scheme, host: proxy_url.format(port=proxy.port))
        answer = await client.send(call("https://upstream.test/"))
        assert isinstance(answer, Unreachable)
        assert (answer.kind, answer.sent) == ("proxy", False)
        await client.aclose()


async def test_our_own_server_speaks_tls(tls):
    certificate, key, _ = tls

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["scheme"].encode()})

    server = Server(app, lifespan="off", tls=(certificate, key))
    await server.start()
    client = HttpUpstream(ca_file=certificate)
    assert server.url.startswith("https://")
    assert await text(await client.send(call(server.url))) == b"https"
    await client.aclose()
    await server.stop(1)

"""The contract of every HTTP client: names, TLS and proxies."""

from __future__ import annotations

import asyncio
import socket

import pytest

from maxpool.ports import Unreachable
from tests.adapters.certificates import self_signed
from tests.adapters.contract import SECRET, failure, whole
from tests.adapters.peers import OK, call, forwarding, peer, replying, saying

BEARER = ((b"authorization", b"Bearer " + SECRET),)


# -- reaching a peer ------------------------------------------------------------------------------


async def test_refused_was_never_sent(client):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        answer = await client.send(call(f"http://127.0.0.1:{sock.getsockname()[1]}"))
    assert failure(answer) == ("refused", False)


@pytest.mark.parametrize("name", ["no-such-host.invalid", "a" * 70 + ".test", "a..test", "-"])
async def test_an_unknown_name_is_a_dns_failure(client, name):
    assert failure(await client.send(call(f"http://{name}/"))) == ("dns", False)


async def test_a_name_and_an_ipv6_address_are_reached(client):
    async with peer(replying(OK)) as one:
        assert await whole(await client.send(call(f"http://localhost:{one.port}/"))) == b"ok"
        assert b"\r\nHost: localhost:%d\r\n" % one.port in one.heads[0]
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as sock:
        url = f"http://[::1]:{sock.getsockname()[1]}/"
        assert failure(await client.send(call(url, header=0.05))) == ("timeout", True)


async def test_the_host_is_sent_as_the_url_writes_it(client):
    async with peer(replying(OK)) as one:
        await whole(await client.send(call(f"http://LocalHost:{one.port}/")))
    assert b"\r\nHost: LocalHost:%d\r\n" % one.port in one.heads[0]


# -- TLS ------------------------------------------------------------------------------------------


async def test_tls_is_verified_against_the_given_authority(connect, tls):
    client = connect(ca_file=tls[0])
    async with peer(replying(OK), ssl=tls[2]) as one:
        for host in ("127.0.0.1", "localhost"):
            for _ in range(2):
                url = f"https://{host}:{one.port}/"
                assert await whole(await client.send(call(url))) == b"ok"
        assert one.connections == 2


async def test_an_unknown_authority_is_a_tls_failure_and_nothing_was_sent(client, tls):
    async with peer(replying(OK), ssl=tls[2]) as one:
        answer = await client.send(call(f"https://127.0.0.1:{one.port}/", headers=BEARER))
        assert failure(answer) == ("tls", False)
        assert isinstance(answer, Unreachable)
        assert "verify" in answer.detail
        assert one.heads == []


async def test_a_certificate_for_another_host_is_a_tls_failure(connect, tmp_path):
    certificate, _, context = self_signed(tmp_path, "other.test")
    client = connect(ca_file=certificate)
    async with peer(replying(OK), ssl=context) as one:
        for host in ("127.0.0.1", "localhost"):
            answer = await client.send(call(f"https://{host}:{one.port}/", headers=BEARER))
            assert failure(answer) == ("tls", False)
        assert one.heads == []


async def test_a_peer_that_speaks_no_tls_is_a_tls_failure(client):
    async def script(one, reader, writer):
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await one.left(reader)

    async with peer(script) as one:
        answer = await client.send(call(f"https://127.0.0.1:{one.port}/"))
        assert failure(answer) == ("tls", False)


async def test_a_peer_that_leaves_during_the_handshake_was_sent_nothing(client):
    async def script(one, reader, writer):
        await reader.read(100)

    async with peer(script) as one:
        kind, sent = failure(await client.send(call(f"https://127.0.0.1:{one.port}/")))
        assert kind in ("tls", "reset")
        assert not sent


async def test_a_half_read_body_over_tls_is_dropped_at_once(connect, tls):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    client = connect(ca_file=tls[0])
    async with peer(saying(head + b"5\r\nfirst\r\n"), ssl=tls[2]) as one:
        reply = await client.send(call(f"https://localhost:{one.port}/"))
        assert await anext(aiter(reply.stream)) == b"first"
        async with asyncio.timeout(3):
            await reply.stream.aclose()
            await one.gone.wait()


# -- proxies --------------------------------------------------------------------------------------


@pytest.fixture
def environment(monkeypatch):
    """Sets the proxy variables: none but those given."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch.setenv


async def test_plain_http_goes_through_a_proxy_in_absolute_form(connect, environment):
    async with peer(replying(OK)) as proxy:
        environment("HTTP_PROXY", f"http://u%40:p@127.0.0.1:{proxy.port}")
        client = connect(proxy_for=None)
        for _ in range(2):
            url = "http://upstream.test/a%2f/../b?b=%20"
            assert await whole(await client.send(call(url, headers=BEARER))) == b"ok"
        assert proxy.connections == 1
        for head in proxy.heads:
            assert head.startswith(b"POST http://upstream.test/a%2f/../b?b=%20 HTTP/1.1\r\n")
            assert b"\r\nHost: upstream.test\r\n" in head
            assert b"\r\nProxy-Authorization: Basic dUA6cA==\r\n" in head
            assert BEARER[0][1] in head


async def test_https_goes_through_a_tunnel_and_is_verified_end_to_end(connect, tls):
    async with peer(replying(OK), ssl=tls[2]) as one, peer(forwarding(one.port)) as proxy:
        client = connect(
            ca_file=tls[0], proxy_for=lambda scheme, host: f"http://u:p@127.0.0.1:{proxy.port}"
        )
        for _ in range(2):
            url = "https://localhost:8443/x"
            assert await whole(await client.send(call(url, headers=BEARER))) == b"ok"
        assert proxy.connections == 1
        [head] = proxy.heads
        assert head.startswith(b"CONNECT localhost:8443 HTTP/1.1\r\nHost: localhost:8443\r\n")
        assert b"\r\nProxy-Authorization: Basic dTpw\r\n" in head
        assert SECRET not in head
        assert all(b"roxy" not in head for head in one.heads)


async def test_the_tunnel_does_not_verify_for_the_proxys_name(connect, tls):
    async with peer(replying(OK), ssl=tls[2]) as one, peer(forwarding(one.port)) as proxy:
        client = connect(
            ca_file=tls[0], proxy_for=lambda scheme, host: f"http://localhost:{proxy.port}"
        )
        answer = await client.send(call("https://other.test/", headers=BEARER))
        assert failure(answer) == ("tls", False)
        assert one.heads == []


async def test_a_proxy_may_itself_speak_tls(connect, tls):
    async with peer(replying(OK), ssl=tls[2]) as proxy:
        client = connect(
            ca_file=tls[0], proxy_for=lambda scheme, host: f"https://localhost:{proxy.port}"
        )
        assert await whole(await client.send(call("http://upstream.test/a"))) == b"ok"
        assert proxy.heads[0].startswith(b"POST http://upstream.test/a HTTP/1.1\r\n")


async def test_hosts_the_environment_excepts_are_reached_directly(connect, environment):
    async with peer(replying(OK)) as one, peer(replying(OK)) as proxy:
        environment("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
        environment("NO_PROXY", ".direct.invalid")
        client = connect(proxy_for=None)
        assert failure(await client.send(call("http://a.direct.invalid/"))) == ("dns", False)
        assert await whole(await client.send(call(one.url))) == b"ok"  # loopback never is
        assert (one.connections, proxy.connections) == (1, 0)
        assert await whole(await client.send(call("http://other.invalid/"))) == b"ok"
        assert proxy.connections == 1


@pytest.mark.parametrize(
    "proxy_url", ["http://127.0.0.1:{port}", "socks5://127.0.0.1:{port}", "http://127.0.0.1:99999"]
)
async def test_a_proxy_that_refuses_or_cannot_be_used_is_named_as_such(connect, proxy_url):
    refusal = b"HTTP/1.1 407 %b\r\nX: %b\r\nContent-Length: 0\r\n\r\n" % (SECRET, SECRET)
    async with peer(replying(refusal)) as proxy:
        client = connect(proxy_for=lambda scheme, host: proxy_url.format(port=proxy.port))
        answer = await client.send(call("https://upstream.test/", headers=BEARER))
        assert failure(answer) == ("proxy", False)


async def test_a_proxys_own_refusal_of_plain_http_is_an_answer(connect):
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with peer(replying(refusal)) as proxy:
        client = connect(proxy_for=lambda scheme, host: f"http://127.0.0.1:{proxy.port}")
        assert (await client.send(call("http://upstream.test/"))).status == 407


async def hang(one, reader, writer):
    await one.request(reader)
    await one.left(reader)


async def test_a_proxy_that_grants_no_tunnel_ends_at_the_connect_limit(connect):
    async with peer(hang) as proxy:
        client = connect(proxy_for=lambda scheme, host: f"http://127.0.0.1:{proxy.port}")
        answer = await client.send(call("https://upstream.test/", connect=0.1))
        assert failure(answer) == ("timeout", False)
        async with asyncio.timeout(0.5):
            await proxy.gone.wait()


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200", b"nonsense\r\n\r\n"], ids=["nothing", "half", "nonsense"]
)
async def test_a_proxy_that_breaks_while_it_should_connect_was_sent_nothing(connect, said):
    async with peer(saying(said, then_close=True)) as proxy:
        client = connect(proxy_for=lambda scheme, host: f"http://127.0.0.1:{proxy.port}")
        kind, sent = failure(await client.send(call("https://upstream.test/")))
        assert kind in ("proxy", "protocol", "reset")
        assert not sent


async def test_a_proxy_that_is_not_there_is_refused(connect):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        client = connect(proxy_for=lambda scheme, host: url)
        for scheme in ("http", "https"):
            answer = await client.send(call(f"{scheme}://upstream.test/"))
            assert failure(answer) == ("refused", False)

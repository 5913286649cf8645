from __future__ import annotations

import asyncio
import socket

import httpcore2
import pytest

from maxpool.adapters import sockets
from maxpool.adapters.sockets import HIGH_WATER_BYTES, ConnectFailed, SocketBackend
from tests.adapters.peers import peer
from tests.rig import until


async def silent(one, reader, writer):
    await one.left(reader)


async def test_a_name_with_a_dead_family_still_connects(monkeypatch):
    async def addresses(host, port):
        return ["::1", "127.0.0.1"]

    monkeypatch.setattr(sockets, "_addresses", addresses)
    async with peer(silent) as one:
        stream = await SocketBackend().connect_tcp("both.test", one.port, timeout=30)
        assert stream.usable
        stream.abort()


async def test_families_take_turns_in_the_systems_order(monkeypatch):
    def info(family, address) -> tuple[object, ...]:
        return (family, socket.SOCK_STREAM, 6, "", (address, 0))

    async def getaddrinfo(*args, **kwargs):
        six, four = socket.AF_INET6, socket.AF_INET
        return [info(six, "::1"), info(six, "::2"), info(six, "::3"), info(four, "127.0.0.1")]

    loop = asyncio.get_running_loop()
    if type(loop).__module__.startswith("uvloop"):
        pytest.skip("methods of uvloop cannot be replaced")
    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    assert await sockets._addresses("a.test", 1) == ["::1", "127.0.0.1", "::2", "::3"]


async def test_a_silent_peer_ends_a_read_at_its_limit():
    async with peer(silent) as one:
        stream = await SocketBackend().connect_tcp("127.0.0.1", one.port)
        with pytest.raises(httpcore2.ReadTimeout):
            await stream.read(10, timeout=0.02)
        stream.abort()


async def test_what_arrived_before_the_end_is_read_before_the_end():
    async def script(one, reader, writer):
        writer.write(b"abcdef")

    async with peer(script) as one:
        stream = await SocketBackend().connect_tcp("127.0.0.1", one.port)
        await until(lambda: stream.ended)
        assert not stream.usable
        assert [await stream.read(4), await stream.read(4), await stream.read(4)] == [
            b"abcd",
            b"ef",
            b"",
        ]
        stream.abort()


async def test_at_most_the_bound_and_one_read_are_buffered():
    async def script(one, reader, writer):
        while True:
            writer.write(b"a" * 65536)
            await writer.drain()

    async with peer(script) as one:
        stream = await SocketBackend().connect_tcp("127.0.0.1", one.port)
        await until(lambda: stream._buffered > HIGH_WATER_BYTES)
        await asyncio.sleep(0.1)  # time in which more could come
        assert HIGH_WATER_BYTES < stream._buffered <= HIGH_WATER_BYTES + 256 * 1024
        for _ in range(40):
            assert await stream.read(65536, timeout=30)
        stream.abort()


async def test_a_write_that_the_peer_never_takes_ends_at_its_limit():
    async def script(one, reader, writer):
        await asyncio.sleep(5)

    async with peer(script) as one:
        stream = await SocketBackend().connect_tcp("127.0.0.1", one.port)
        with pytest.raises(httpcore2.WriteTimeout):
            await stream.write(b"a" * 50_000_000, timeout=0.05)
        stream.abort()
        with pytest.raises(httpcore2.WriteError):
            await stream.write(b"a")


async def test_abort_may_be_called_again():
    async with peer(silent) as one:
        stream = await SocketBackend().connect_tcp("127.0.0.1", one.port)
        stream.abort()
        stream.abort()
        await stream.aclose()
        with pytest.raises(httpcore2.ReadError):
            await stream.read(1)


async def test_a_host_that_is_no_name_is_a_dns_failure():
    with pytest.raises(ConnectFailed) as caught:
        await SocketBackend().connect_tcp("a" * 70 + ".test", 1, timeout=30)
    assert caught.value.kind == "dns"


async def test_a_connection_given_away_takes_along_what_came_unasked():
    class Other(asyncio.Protocol):
        def __init__(self) -> None:
            self.received = b""
            self.more = asyncio.Event()

        def data_received(self, data: bytes) -> None:
            self.received += data
            if self.received.endswith(b"later"):
                self.more.set()

    async def script(one, reader, writer):
        writer.write(b"early ")
        await reader.readexactly(2)
        writer.write(b"later")
        await one.left(reader)

    async with peer(script) as one:
        stream = await SocketBackend().connect_tcp("127.0.0.1", one.port)
        assert await stream.read(1) == b"e"
        stream.give_to(other := Other())
        assert other.received == b"arly "
        await stream.write(b"go")
        async with asyncio.timeout(1):
            await other.more.wait()
        stream.abort()

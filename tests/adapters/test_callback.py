from __future__ import annotations

import asyncio
import socket
from contextlib import closing

import pytest

from maxpool.adapters.callback import MAX_HEAD_BYTES, Page, listening
from maxpool.errors import BindError


def judge(query: str) -> Page:
    return Page(title="Seen", text=f"<script>{query}</script>")


async def get(
    port: int,
    target: str = "/callback?code=a&state=b",
    host: str | None = None,
    method: str = "GET",
    address: str = "127.0.0.1",
    more: str = "",
) -> str:
    reader, writer = await asyncio.open_connection(address, port)
    name = f"localhost:{port}" if host is None else host
    writer.write(f"{method} {target} HTTP/1.1\r\nhost: {name}\r\n{more}\r\n".encode())
    with closing(writer):
        return (await reader.read()).decode()


def status(answer: str) -> int:
    return int(answer.split()[1])


async def test_its_own_path_under_its_own_names_is_answered():
    async with listening(judge) as port:
        for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"LOCALHOST:{port}"):
            assert status(await get(port, host=host)) == 200


@pytest.mark.parametrize(
    ("target", "host", "method", "expected"),
    [
        ("/callback", "evil.example", "GET", 403),
        ("/callback", "evil.example:{port}", "GET", 403),
        ("/callback", "localhost", "GET", 403),
        ("/callback", "localhost:{port}\r\nhost: evil.example", "GET", 403),
        ("/", None, "GET", 404),
        ("/callback/more", None, "GET", 404),
        ("/favicon.ico", None, "GET", 404),
        ("//[/callback", None, "GET", 404),
        ("http://evil.example/callback", None, "GET", 404),
        ("/callback", None, "POST", 404),
        ("/callback", None, "OPTIONS", 404),
    ],
)
async def test_every_other_path_and_name_is_refused(target, host, method, expected):  # T10
    asked: list[str] = []

    def asking(query: str) -> Page:
        asked.append(query)
        return judge(query)

    async with listening(asking) as port:
        name = host.format(port=port) if host is not None else None
        assert status(await get(port, target, name, method)) == expected
        assert not asked


async def test_pages_run_nothing_load_nothing_and_escape_everything():
    async with listening(judge) as port:
        answer = await get(port, "/callback?<script>alert(1)</script>&code='")
    head, _, body = answer.partition("\r\n\r\n")
    assert "default-src 'none'" in head
    assert "unsafe" not in head
    assert "no-store" in head
    assert "no-referrer" in head
    assert "<script" not in body
    assert "&lt;script&gt;" in body


async def test_it_is_reached_on_loopback_only_and_gone_afterwards():
    async with listening(judge) as port:
        if socket.has_ipv6:
            with socket.socket(socket.AF_INET6) as probe:
                there = probe.connect_ex(("::1", port)) == 0
            if there:
                assert status(await get(port, address="::1")) == 200
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))  # nobody else may take the port meanwhile
    with pytest.raises(OSError, match=r"."):
        await get(port)


async def test_a_port_that_is_taken_is_said_with_a_way_out():
    async with listening(judge) as port:
        with pytest.raises(BindError) as caught:
            async with listening(judge, port=port):
                pass
        assert "--paste" in caught.value.hint


async def test_a_registered_path_is_its_own():
    async with listening(judge, path="/back") as port:
        assert status(await get(port, "/back?code=a")) == 200
        assert status(await get(port)) == 404


async def test_connections_that_say_nothing_or_too_much_hold_nothing_up():
    async with listening(judge) as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        assert await get(port, more=f"x: {'y' * 2 * MAX_HEAD_BYTES}\r\n") == ""
        assert status(await get(port)) == 200
    for reader, writer in silent:
        assert await reader.read() == b""
        writer.close()

"""When a server may hand over, and with which options. (Whole hand-overs: tests/claims/test_handover.py.)"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from maxpool.adapters import handover as sockets
from maxpool.adapters.lock import FolderLock
from maxpool.adapters.server import Server
from maxpool.app import handover
from maxpool.app.handover import HandOver
from maxpool.config.load import Loaded, Overrides
from maxpool.config.model import Config
from maxpool.core.snapshot import VERSION
from maxpool.errors import RequestError, StateError
from tests.rig import Rig, rig


def one(it: Rig, **more: Any) -> HandOver:
    return HandOver(
        built=it.proxy,
        server=it.server,
        lock=FolderLock(-1),
        folder=Path("/srv/maxpool"),
        loaded=Loaded(config=it.proxy.config, path=None),
        announce=print,
        heard=print,
        **more,
    )


async def refused(leaving: HandOver, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        await leaving.give()
    assert caught.value.status == 409


async def test_a_server_that_stops_hands_nothing_over():
    async with rig() as it:
        await refused(one(it, stopping=True), "stopping")


async def test_where_sockets_cannot_be_passed_it_is_said_what_to_do(monkeypatch):
    monkeypatch.setattr(sockets, "possible", lambda: False)
    async with rig() as it:
        await refused(one(it), "run maxpool stop, then maxpool serve")


async def test_one_hand_over_at_a_time():
    async with rig() as it:
        leaving = one(it)
        leaving._giving = asyncio.ensure_future(asyncio.Event().wait())  # type: ignore[arg-type]
        await refused(leaving, "taking over already")
        await leaving.give_up()
        assert leaving._giving.cancelled()


async def test_a_program_that_cannot_be_started_is_told_and_changes_nothing(monkeypatch):
    monkeypatch.setattr(sockets, "command", lambda _: ["/nowhere/python"])
    async with rig() as it:
        await refused(one(it), "No new process could be started")
        assert (await it.post()).whole
        assert it.proxy.pool.witness is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"host": "0.0.0.0"}, "another host"),
        ({"port": 1}, "another port"),
        ({"folder": "/elsewhere"}, "another folder"),
        ({"reads": VERSION - 1}, "an older maxpool"),
    ],
)
async def test_what_does_not_go_with_the_sockets_is_refused(change, said):
    async with rig() as it:
        server = it.proxy.config.server
        told = {
            "host": server.host,
            "port": server.port,
            "folder": "/srv/maxpool",
            "reads": VERSION,
        }
        leaving = one(it)
        leaving._check(told)
        with pytest.raises(StateError, match=said):
            leaving._check(told | change)


def test_options_are_the_effective_ones_and_nothing_is_confirmed_twice():
    given = Overrides(host="::1", port=0, log_level="debug")
    loaded = Loaded(config=Config(), path=Path("/etc/mp.toml"), overrides=given)
    assert handover._options(loaded) == [
        *("--config", "/etc/mp.toml", "--host", "::1", "--port", "0", "--log-level", "debug")
    ]
    assert handover._options(Loaded(config=Config(), path=None)) == []


async def test_a_server_without_a_hand_over_says_so():
    async with rig() as it:
        got = await it.admin("POST", "/exec", {})
        assert got.error == (409, "invalid_request_error")
        assert isinstance(it.server, Server)

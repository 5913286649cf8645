from __future__ import annotations

import json
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from maxpool.adapters.server import Server
from maxpool.adapters.upstream import HttpUpstream
from maxpool.errors import MaxpoolError, SecretError
from maxpool.ports import Secret
from maxpool.service.delivery import MAX_WAITING, PAUSES_S, Delivery, NotDelivered
from maxpool.service.tasks import Tasks
from maxpool.sim.clock import HandClock
from maxpool.wire.alerts import trial_message as a_message
from tests.rig import until


@dataclass
class Receiver:
    """A real server that takes messages; `statuses`: its next answers, then 200."""

    statuses: list[int] = field(default_factory=list)
    got: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    async def app(self, scope, receive, send):
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            part = await receive()
            body, more = body + part.get("body", b""), part.get("more_body", False)
        headers = {n.decode(): v.decode() for n, v in scope["headers"]}
        self.got.append((scope["path"], headers, json.loads(body)))
        status = self.statuses.pop(0) if self.statuses else 200
        away = [(b"location", b"http://127.0.0.1:1/")] if status == 302 else []
        await send({"type": "http.response.start", "status": status, "headers": away})
        await send({"type": "http.response.body", "body": b"ok"})


class Secrets:
    def __init__(self, **known: str) -> None:
        self.known = known

    def resolve(self, reference: str) -> Secret:
        try:
            return Secret(self.known[reference.partition(":")[2]])
        except KeyError:
            raise SecretError("the environment variable is not set", "Set it") from None


@dataclass
class Posting:
    url: str
    receiver: Receiver
    delivery: Delivery
    clock: HandClock
    secrets: Secrets
    told: list[tuple[str, str, str]]


@asynccontextmanager
async def posting(*statuses: int):
    receiver, clock, tasks, secrets = Receiver(list(statuses)), HandClock(), Tasks(), Secrets()
    told: list[tuple[str, str, str]] = []

    async def apprise(url: str, title: str, text: str) -> bool:
        told.append((url, title, text))
        if "missing" in url:
            raise MaxpoolError("apprise is not installed")
        return "deaf" not in url

    server, client = Server(receiver.app, graceful_s=0.0), HttpUpstream()
    await server.start()
    try:
        delivery = Delivery(client, secrets, clock, tasks, apprise, version="1")
        yield Posting(server.url, receiver, delivery, clock, secrets, told)
    finally:
        await tasks.aclose(0.0)
        await client.aclose()
        await server.stop(0.0)


@pytest.mark.parametrize(
    ("kind", "path", "keys"),
    [
        ("", "/hook", {"version", "source", "title", "text", "alerts"}),
        ("slack+", "/hook", {"text"}),
        ("discord+", "/hook", {"content", "allowed_mentions"}),
        ("ntfy+", "/", {"topic", "title", "message", "priority", "tags"}),
    ],
)
async def test_each_receiver_gets_its_documented_form_by_post(kind, path, keys):
    async with posting() as it:
        it.delivery.follow({"x": f"{kind}{it.url}/hook"})
        await it.delivery.once("x", a_message())
        ((where, headers, body),) = it.receiver.got
        assert (where, headers["content-type"]) == (path, "application/json")
        assert body.keys() == keys
        assert headers["user-agent"] == "maxpool/1"


async def test_what_fails_is_tried_again_later_and_later_and_arrives():
    async with posting(500, 429) as it:
        it.delivery.follow({"x": it.url})
        it.delivery.post("x", a_message())
        for pause_s in PAUSES_S[:2]:
            await until(lambda: it.clock.sleeping)
            it.clock.advance(pause_s)
        await until(lambda: it.delivery.report()["x"]["sent"])
        assert it.delivery.report()["x"] == {
            "sent": 1, "waiting": 0, "lost": 0, "last_at": it.clock.now(), "last_error": None,
        }  # fmt: skip


@pytest.mark.parametrize("status", [302, 400, 401, 404])
async def test_what_another_try_cannot_mend_is_lost_at_once_and_redirects_are_not_followed(
    status, caplog
):
    async with posting(status) as it:
        it.delivery.follow({"x": f"{it.url}/the-secret-path"})
        it.delivery.post("x", a_message())
        await until(lambda: it.delivery.report()["x"]["lost"])
        assert len(it.receiver.got) == 1
        assert str(status) in it.delivery.report()["x"]["last_error"]
        assert "the-secret-path" not in caplog.text + str(it.delivery.report())


async def test_a_receiver_that_stays_away_costs_messages_and_never_memory(caplog):
    caplog.set_level(logging.CRITICAL)
    async with posting(*[503] * 1000) as it:
        it.delivery.follow({"x": it.url})
        for _ in range(MAX_WAITING + 10):
            it.delivery.post("x", a_message())
        assert it.delivery.report()["x"]["waiting"] == MAX_WAITING
        assert it.delivery.report()["x"]["lost"] == 10


async def test_messages_arrive_in_their_order_and_one_target_does_not_hold_up_another():
    async with posting() as it:
        it.delivery.follow({"x": it.url, "gone": "http://127.0.0.1:1/"})
        it.delivery.post("gone", a_message())
        for number in range(5):
            it.delivery.post("x", a_message()._replace(title=str(number)))
        await until(lambda: len(it.receiver.got) == 5)
        assert [body["title"] for _, _, body in it.receiver.got] == ["0", "1", "2", "3", "4"]


async def test_a_url_by_reference_is_read_at_each_try_so_that_a_mended_one_helps():
    async with posting() as it:
        it.delivery.follow({"x": "env:HOOK"})
        with pytest.raises(NotDelivered, match="cannot be read"):
            await it.delivery.once("x", a_message())
        it.secrets.known["HOOK"] = f"{it.url}/a\n"
        await it.delivery.once("x", a_message())
        assert it.receiver.got[0][0] == "/a"


async def test_a_program_is_refused_also_behind_a_reference():  # X7
    async with posting() as it:
        it.secrets.known["HOOK"] = "command:touch /tmp/x"
        it.delivery.follow({"x": "env:HOOK"})
        with pytest.raises(NotDelivered, match="must not be a program"):
            await it.delivery.once("x", a_message())


async def test_apprise_takes_title_and_text_and_what_it_says_counts():
    async with posting() as it:
        it.secrets.known |= {
            "A": "apprise:tgram://1/2",
            "D": "apprise:deaf://1",
            "M": "apprise:missing://1",
        }
        it.delivery.follow({"a": "env:A", "d": "env:D", "m": "env:M"})
        await it.delivery.once("a", a_message())
        assert it.told == [("tgram://1/2", a_message().title, a_message().text)]
        for name, said in (("d", "did not take it"), ("m", "not installed")):
            with pytest.raises(NotDelivered, match=said):
                await it.delivery.once(name, a_message())


async def test_a_target_that_a_new_config_drops_hears_no_more_and_one_that_stays_keeps_its_counts():
    async with posting(503) as it:
        it.delivery.follow({"x": it.url, "y": it.url})
        it.delivery.post("x", a_message())
        await until(lambda: it.clock.sleeping)
        await it.delivery.once("y", a_message())
        it.delivery.follow({"y": it.url})
        it.clock.advance(1000.0)
        it.delivery.post("x", a_message())
        assert it.delivery.report().keys() == {"y"}
        assert it.delivery.report()["y"]["sent"] == 1
        with pytest.raises(NotDelivered, match="no target called x; there are: y"):
            await it.delivery.once("x", a_message())

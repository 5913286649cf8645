"""`maxpool reload --exec` with real processes: nothing is lost, and what fails changes nothing (O5, Q8, X8, R12, S18)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from maxpool.adapters.clock import SystemClock
from maxpool.adapters.handover import possible
from maxpool.adapters.lock import lock_state_folder
from maxpool.adapters.server import Server
from maxpool.adapters.upstream import HttpUpstream
from maxpool.app.vault import open_vault
from maxpool.config.load import load
from maxpool.errors import StateError
from maxpool.ports import Secret
from maxpool.sim.faults import HangFault, QuotaFault
from maxpool.sim.upstream import SimUpstream
from maxpool.wire.credential import encode
from tests import logins
from tests.claims import test_operations as operations
from tests.claims.test_logins import signs_in
from tests.claims.test_operations import ROOT, Place, Running, place
from tests.cli.operate import say
from tests.refreshing import is_refresh
from tests.rig import CLAUDE_CODE, THREE, Rig, ask, plan, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from click.testing import Result

    from maxpool.sim.plans import SimAccount

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not possible(), reason="sockets cannot be passed on here"),
]

HOOK = """
import os, pathlib
how = pathlib.Path(__file__).with_name("how")
if "MAXPOOL_HANDOVER" in os.environ and how.exists():
    exec(how.read_text())
"""
"""For the new process alone: what the file `how` says happens to it."""

ONE_SLOT = "[pool]\nslots_per_key = 1\n"

STUCK = """
import asyncio
import maxpool.app.takeover as takeover
async def begin(self, built):
    pathlib.Path(__file__).with_name("stuck").write_text(str(os.getpid()))
    await asyncio.sleep(600)
takeover.Taken.begin = begin
"""


class Gate:
    """Before the upstream: while it is closed, streams stand still after their first words."""

    def __init__(self, sim: SimUpstream) -> None:
        self.sim = sim
        self.opened = asyncio.Event()
        self.held = 0
        self.sent = bytearray()
        self.open()

    def close(self) -> None:
        self.opened.clear()

    def open(self) -> None:
        self.opened.set()

    async def __call__(self, scope, receive, send):
        async def through(message):
            body = message.get("body", b"")
            self.sent.extend(body)
            await send(message)
            if b"content_block_delta" in body and not self.opened.is_set():
                self.held += 1
                await self.opened.wait()
                self.held -= 1

        await self.sim.app(scope, receive, through)


@asynccontextmanager
async def gated(
    folder: Path, *people: SimAccount, more: str = "", drain: str = "20s"
) -> AsyncIterator[tuple[Place, Gate]]:
    """A place whose upstream has a gate."""
    gate = Gate(SimUpstream(people or THREE))
    upstream = Server(gate, graceful_s=0.0)
    await upstream.start()
    one = Place(gate.sim, folder, people or THREE, upstream.url, more=more)
    one.write()
    one.config.write_text(one.config.read_text().replace('drain = "20s"', f'drain = "{drain}"'))
    try:
        yield one, gate
    finally:
        gate.open()
        await upstream.stop(0.0)


@asynccontextmanager
async def serving(one: Place) -> AsyncIterator[tuple[Running, Rig]]:
    """A server; whoever has taken it over ends with the test, too."""
    async with operations.serving(one) as (running, rig):
        try:
            yield running, rig
        finally:
            if running.process.returncode is None:
                with suppress(OSError, ValueError):
                    os.kill(who(one)[0], signal.SIGKILL)


async def reload(one: Place) -> Result:
    """`maxpool reload --exec`, beside everything else."""
    return await asyncio.to_thread(
        say, one.folder, "reload", "--exec", "--json", "--config", str(one.config)
    )


async def handed_over(one: Place) -> dict[str, Any]:
    result = await reload(one)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def who(one: Place) -> tuple[int, int]:
    """The process that is told as the server, and the one that has the lock."""
    told = json.loads((one.state / "server.json").read_text())["pid"]
    return told, int((one.state / "server.lock").read_text())


@asynccontextmanager
async def spoilt(folder: Path, how: str) -> AsyncIterator[Place]:
    """A place where that happens to every process that is to take over."""
    async with place(folder) as one:
        (folder / "sitecustomize.py").write_text(HOOK)
        (folder / "how").write_text(how)
        one.python_path = os.pathsep.join((str(ROOT), str(folder)))
        yield one


async def test_a_stream_that_runs_across_arrives_byte_for_byte(tmp_path):  # Q8
    async with gated(tmp_path) as (one, gate), serving(one) as (running, rig):
        gate.close()
        answer = asyncio.ensure_future(rig.post())
        await until(lambda: gate.held)
        told = await handed_over(one)
        assert told["in_flight"] == 1
        assert told["old_pid"] == running.process.pid != told["pid"]
        assert not answer.done()
        gate.open()
        got = await answer
        assert got.whole
        assert got.body == bytes(gate.sent)
        assert await running.end() == 0


async def test_nobody_of_200_connections_notices(tmp_path):  # Q8
    async with place(tmp_path) as one, serving(one) as (running, rig):
        done, answers = asyncio.Event(), []

        async def hammer(*, kept: bool) -> None:
            reader = writer = None
            while not done.is_set():
                if writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.port)
                assert reader is not None
                writer.write(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
                answers.append((head[:12], json.loads(await reader.readexactly(size))["ok"]))
                if b"connection: close" in head or not kept or done.is_set():
                    writer.close()
                    await writer.wait_closed()
                    writer = None
                await asyncio.sleep(0.1)
            if writer is not None:
                writer.close()
                await writer.wait_closed()

        hammers = [asyncio.ensure_future(hammer(kept=n % 2 == 0)) for n in range(200)]
        await until(lambda: len(answers) > 200)
        first = await handed_over(one)
        before = len(answers)
        second = await handed_over(one)  # the chain, while the first one still drains
        await until(lambda: len(answers) > before + 400, 20.0)
        done.set()
        await asyncio.gather(*hammers)
        assert set(answers) == {(b"http/1.1 200", True)}
        assert second["old_pid"] == first["pid"]
        assert who(one) == (second["pid"], second["pid"])
        assert await running.end() == 0


async def test_the_new_process_knows_all_and_learns_how_the_old_ones_answers_end(tmp_path):  # S18
    people = (plan("p", used_5h=0.4), plan("q", used_5h=0.2))
    sessions = [{**CLAUDE_CODE, "x-claude-code-session-id": f"s{n}"} for n in range(3)]
    async with gated(tmp_path, *people) as (one, gate), serving(one) as (running, rig):
        for headers in sessions:
            assert (await rig.post(ask("x" * 20_000), headers=headers)).whole
        one.sim.inject(QuotaFault(window="5h", resets_in_s=900.0), "p")
        assert (await rig.post(headers=sessions[0])).account == "q"
        gate.close()
        late = asyncio.ensure_future(rig.post(headers=sessions[1]))
        await until(lambda: gate.held)
        before = await rig.status()
        await handed_over(one)
        rig = anew(rig)
        during = await rig.status()
        assert during["started_at"] > before["started_at"]
        assert during["summary"]["requests_in_flight"] == 1  # it still counts here
        assert during["totals"]["requests"] == before["totals"]["requests"] == 4
        for old, new in zip(before["accounts"], during["accounts"], strict=True):
            assert (new["state"], new["unavailable"]) == (old["state"], old["unavailable"])
            assert new["total"] == old["total"]
        bound = [
            {s["session"]: s["account"] for s in d["sessions"]["list"]} for d in (before, during)
        ]
        assert bound[0] == bound[1]
        gate.open()
        assert (await late).whole
        await _settled(rig)
        after = await rig.status()
        assert after["totals"]["requests"] == 5
        assert sum(a["total"]["requests"] for a in after["accounts"]) == 6  # one was refused
        told = [
            a["total"]["tokens_out"] - b["total"]["tokens_out"]
            for a, b in zip(after["accounts"], during["accounts"], strict=True)
        ]
        assert sorted(told)[0] == 0 < sorted(told)[1]  # what the late answer cost
        assert await running.end() == 0


def anew(rig: Rig) -> Rig:
    """A client without open connections: those go to the old process once more."""
    return replace(rig, client=HttpUpstream())


async def _queued(rig: Rig) -> None:
    """Until somebody waits."""
    async with asyncio.timeout(10):
        while not (await rig.status())["queue"]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def _settled(rig: Rig) -> None:
    """Until the old process has told its last counts."""
    async with asyncio.timeout(10):
        while (await rig.status())["totals"]["requests"] < 5:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def test_leases_of_the_old_process_take_slots_in_the_new_one(tmp_path):
    place_ = gated(tmp_path, THREE[0], more=ONE_SLOT)
    async with place_ as (one, gate), serving(one) as (running, rig):
        gate.close()
        first = asyncio.ensure_future(rig.post())
        await until(lambda: gate.held)
        await handed_over(one)
        rig = anew(rig)
        second = asyncio.ensure_future(rig.post())
        await _queued(rig)
        assert not first.done()
        gate.open()
        assert (await first).whole
        assert (await second).whole
        assert one.sim.truth("a").peak_in_flight == 1
        assert await running.end() == 0


async def test_a_waiter_goes_on_waiting_in_the_old_process(tmp_path):  # Q8
    place_ = gated(tmp_path, THREE[0], more=ONE_SLOT)
    async with place_ as (one, gate), serving(one) as (running, rig):
        gate.close()
        first = asyncio.ensure_future(rig.post())
        await until(lambda: gate.held)
        second = asyncio.ensure_future(rig.post(ask(stream=False)))
        await _queued(rig)
        assert (await handed_over(one))["in_flight"] == 2
        gate.open()
        assert (await first).whole
        assert (await second).whole
        assert await running.end() == 0


async def test_who_waits_longer_than_the_drain_gets_an_honest_answer(tmp_path):  # Q8
    place_ = gated(tmp_path, THREE[0], more=ONE_SLOT, drain="3s")
    async with place_ as (one, gate), serving(one) as (running, rig):
        gate.close()
        first = asyncio.ensure_future(rig.post())
        await until(lambda: gate.held)
        second = asyncio.ensure_future(rig.post(ask(stream=False)))
        await _queued(rig)
        await handed_over(one)
        assert (await second).error == (503, "overloaded_error")
        assert (await first).cut
        gate.open()
        assert (await rig.post()).whole  # its slot is free again
        assert await running.end() == 0


async def test_stopping_afterwards_ends_the_new_one_and_the_first_process_with_it(tmp_path):  # O5
    async with place(tmp_path) as one, serving(one) as (running, _):
        await handed_over(one)
        stopped = await asyncio.to_thread(say, tmp_path, "stop", "--config", str(one.config))
        assert stopped.stdout == "Stopping.\nStopped.\n"
        assert await running.end(None) == 0
        assert not (one.state / "server.json").exists()
        lock_state_folder(one.state).release()


async def test_what_the_old_process_still_learns_is_saved_though_the_new_one_stops(tmp_path):  # S18
    async with gated(tmp_path) as (one, gate):
        async with serving(one) as (running, rig):
            gate.close()
            answer = asyncio.ensure_future(rig.post())
            await until(lambda: gate.held)
            await handed_over(one)
            stopped = asyncio.ensure_future(running.end())
            await asyncio.wait({stopped}, timeout=1.0)
            gate.open()
            assert (await answer).whole
            assert await stopped == 0
        async with serving(one) as (running, rig):
            total = (await rig.state("a"))["total"]
            assert (total["requests"], total["tokens_out"] > 0) == (1, True)
            assert await running.end() == 0


async def test_what_a_kept_connection_asks_of_the_old_process_is_not_lost(tmp_path):  # O5
    async with place(tmp_path) as one, serving(one) as (running, rig):
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.port)
        key = (one.state / "admin.key").read_bytes().strip()

        async def asks(verb: bytes) -> int:
            writer.write(
                b"POST /admin/%b HTTP/1.1\r\nhost: 127.0.0.1\r\nx-maxpool-admin-key: %b\r\n"
                b"content-type: application/json\r\ncontent-length: 2\r\n\r\n{}" % (verb, key)
            )
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
            await reader.readexactly(size)
            return int(head.split()[1])

        handing = asyncio.ensure_future(handed_over(one))
        while await asks(b"resume") == 200:
            assert not handing.done()
        await handing
        assert await asks(b"stop") == 202
        writer.close()
        assert await running.end(None) == 0


async def test_a_refresh_that_is_due_in_both_is_sent_once(tmp_path, monkeypatch):  # T3
    people = (plan("juniper"),)
    async with logins.world(tmp_path, monkeypatch, *people) as one:
        await signs_in(tmp_path, "work", "juniper")
        account = logins.entries(one)["work"].stable_id
        before = logins.kept(one, "work")
        assert before is not None
        now = SystemClock().now()
        before = replace(before, granted_at=now - 28_000.0, expires_at=now + 300.0)
        open_vault(load(one.config).config).put(account, Secret(encode(before)))
        one.sim.inject(HangFault(seconds=10.0), when=is_refresh)
        async with serving(one) as (running, rig):
            await until(lambda: refreshed(one), 10.0)
            await handed_over(one)
            assert logins.kept(one, "work") == before  # the answer is still awaited
            await until(lambda: logins.kept(one, "work") != before, 30.0)
            fresh, after = anew(rig), logins.kept(one, "work")
            assert after is not None
            async with asyncio.timeout(
                10
            ):  # until the new process has seen what the old one stored
                while not sent_with(one, after.secret):
                    assert (await fresh.post(headers=CLAUDE_CODE)).whole
            assert refreshed(one) == [before.refresh_token]
            assert "work" not in " ".join((await fresh.status())["notices"])
            assert await running.end() == 0


def sent_with(one: Place, bearer: str) -> bool:
    """Whether the last request went out with that bearer."""
    sent = {n.lower(): v for n, v in one.sim.requests[-1].headers}
    return sent.get(b"authorization") == f"Bearer {bearer}".encode()


def refreshed(one: Place) -> list[str]:
    """The refresh tokens that were sent."""
    bodies = [json.loads(seen.body) for seen in one.sim.requests if is_refresh(seen)]
    return [body["refresh_token"] for body in bodies if "refresh_token" in body]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_to_the_first_process_mean_whoever_serves(number, tmp_path):  # O5
    async with gated(tmp_path) as (one, gate), serving(one) as (running, rig):
        new = (await handed_over(one))["pid"]
        gate.close()
        answer = asyncio.ensure_future(rig.post())
        await until(lambda: gate.held)
        os.kill(new, number)  # as Ctrl-C and supervisors do: to each process of the group
        stopped = asyncio.ensure_future(running.end(number))
        await asyncio.sleep(0.3)  # long enough for both to have arrived
        gate.open()
        assert (await answer).whole
        assert await stopped == 0


async def test_the_end_of_the_new_process_is_the_end_of_the_first(tmp_path):
    async with place(tmp_path) as one, serving(one) as (running, _):
        os.kill((await handed_over(one))["pid"], signal.SIGKILL)
        assert await running.end(None) == 128 + signal.SIGKILL


async def _as_before(one: Place, running: Running, rig: Rig, said: str) -> None:
    """The hand-over fails with these words, and the old process is the server as before."""
    one.sim.inject(HangFault(after="delta", seconds=1.0), "a")
    answer = asyncio.ensure_future(rig.post())
    await until(lambda: one.sim.truth("a").in_flight)
    result = await reload(one)
    assert result.exit_code == 1
    assert said in result.stderr
    assert f"Process {running.process.pid} serves on as before" in result.stderr
    assert (await answer).whole
    assert who(one) == (running.process.pid,) * 2
    with pytest.raises(StateError, match=str(running.process.pid)):
        lock_state_folder(one.state)
    before = (await rig.status())["jobs"]["save"]["saves"]
    assert (await rig.post()).whole
    async with asyncio.timeout(5):
        while (await rig.status())["jobs"]["save"]["saves"] == before:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    (one.folder / "how").unlink(missing_ok=True)


async def test_a_broken_config_harms_nobody(tmp_path):  # O1
    async with place(tmp_path) as one, serving(one) as (running, rig):
        good = one.config.read_text()
        one.config.write_text(good.replace("priority = 0", "priorty = 0"))
        await _as_before(one, running, rig, "priorty")
        assert "ERROR maxpool.tasks" not in (one.folder / "stderr").read_text()
        one.config.write_text(good)
        await handed_over(one)
        assert (await rig.post()).whole
        assert await running.end() == 0


async def test_another_port_in_the_config_needs_a_stop_and_a_start(tmp_path):
    async with place(tmp_path) as one, serving(one) as (running, rig):
        one.config.write_text(one.config.read_text().replace("port = 0", "port = 1"))
        await _as_before(one, running, rig, "another port (1, here it is 0)")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("os._exit(7)", "ended (code 7) before it was ready"),
        ("import time; time.sleep(600)", "did not say in 2 s that it is ready"),
        (STUCK.replace("await asyncio.sleep(600)", "raise OSError"), "before it was serving"),
    ],
)
async def test_a_new_process_that_fails_harms_nobody(how, said, tmp_path):
    async with spoilt(tmp_path, how) as one:
        one.more = 'handover = "2s"\n' if "sleep" in how else ""
        one.write()
        async with serving(one) as (running, rig):
            await _as_before(one, running, rig, said)
            one.config.write_text(one.config.read_text().replace('"2s"', '"20s"'))
            assert await running.end() == 0


async def test_kill_9_in_the_middle_harms_nobody(tmp_path):
    async with spoilt(tmp_path, STUCK) as one, serving(one) as (running, rig):

        async def kill() -> None:
            stuck = tmp_path / "stuck"
            await until(lambda: stuck.exists() and stuck.read_text(), 15.0)
            wire = await rig.connect()
            await wire.send(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            answer = asyncio.ensure_future(wire.read())
            await asyncio.wait({answer}, timeout=0.3)
            assert not answer.done()  # nobody accepts just now, and nobody is refused
            os.kill(int(stuck.read_text()), signal.SIGKILL)
            assert (await answer).startswith(b"HTTP/1.1 200")

        killed = asyncio.ensure_future(kill())
        await _as_before(one, running, rig, "before it was serving")
        await killed
        await handed_over(one)
        assert (await rig.post()).whole
        assert await running.end() == 0


async def test_a_stop_during_a_hand_over_stops(tmp_path):  # O5
    async with spoilt(tmp_path, STUCK) as one, serving(one) as (running, _):
        asked = asyncio.ensure_future(reload(one))
        stuck = tmp_path / "stuck"
        await until(lambda: stuck.exists() and stuck.read_text(), 15.0)
        assert await running.end() == 0
        assert (await asked).exit_code != 0
        with suppress(ProcessLookupError), pytest.raises(ProcessLookupError):
            os.kill(int(stuck.read_text()), 0)
        assert not (one.state / "server.json").exists()


async def test_a_terminal_that_is_gone_harms_nobody(tmp_path):  # O5
    async with gated(tmp_path) as (one, gate), serving(one) as (running, rig):
        running.process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
        gate.close()
        answer = asyncio.ensure_future(rig.post())
        await until(lambda: gate.held)
        new = (await handed_over(one))["pid"]
        assert who(one) == (new, new)
        stopped = asyncio.to_thread(say, tmp_path, "stop", "--config", str(one.config))
        stopping = asyncio.ensure_future(stopped)
        await asyncio.wait({stopping}, timeout=0.5)
        gate.open()
        assert (await answer).whole
        assert (await stopping).exit_code == 0
        async with asyncio.timeout(30):
            assert await running.process.wait() == 0

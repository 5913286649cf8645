"""A real `maxpool serve`: stopping, restarting, wrong configs, and what its logs never hold (O1, O5, O6, S18)."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from maxpool.adapters.server import Server
from maxpool.adapters.upstream import HttpUpstream
from maxpool.sim import faults
from maxpool.sim.clock import WallClock
from maxpool.sim.delivery import HANG_LIMIT_S
from maxpool.sim.faults import HangFault, QuotaFault
from maxpool.sim.upstream import SimUpstream
from tests.rig import CLAUDE_CODE, THREE, Got, Rig, ask, plan, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from maxpool.sim.plans import SimAccount, SimSettings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


class Patient(WallClock):
    """A clock of the upstream by which a hang without an end lasts until it is `over`."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        await (self.over.wait() if seconds >= HANG_LIMIT_S else super().sleep(seconds))


@dataclass(slots=True)
class Place:
    """A config file, a state folder and a simulated upstream, for one server after another."""

    sim: SimUpstream
    folder: Path
    people: tuple[SimAccount, ...]
    upstream_url: str
    level: str = "info"
    more: str = ""
    python_path: str = str(ROOT)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def config(self) -> Path:
        return self.folder / "maxpool.toml"

    def write(self) -> None:
        entries = [
            f'[[accounts]]\nname = "{p.name}"\nkind = "{"api_key" if p.plan == "api" else "subscription"}"\n'
            f'secret = "env:SECRET_{p.name.upper()}"\npriority = {0 if p is self.people[0] else 1}\n'
            for p in self.people
        ]
        self.config.write_text(
            f'version = 1\n[server]\nport = 0\ndrain = "20s"\n{self.more}'
            f'[upstream]\nbase_url = "{self.upstream_url}"\n'
            f'[storage]\nfolder = "{self.state}"\nsave_gap = "0s"\n[logging]\nlevel = "{self.level}"\n'
            + "".join(entries)
        )

    async def start(self, *options: str) -> Running:
        env = {**os.environ, "PYTHONPATH": self.python_path}
        env |= {f"SECRET_{p.name.upper()}": p.secret for p in self.people}
        with (self.folder / "stderr").open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "maxpool", "serve", "--config", str(self.config), *options),
                env=env,
                cwd=self.folder,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        return Running(process)


@dataclass(slots=True)
class Running:
    """One server process."""

    process: asyncio.subprocess.Process
    url: str = ""
    said: str = ""

    async def ready(self) -> Running:
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            while not (found := re.search(r"http://[0-9.:]+", self.said)):
                line = await self.process.stdout.readline()
                assert line, self.said
                self.said += line.decode()
        self.url = found[0]
        return self

    async def end(self, number: int | None = signal.SIGTERM) -> int:
        if number is not None:
            self.process.send_signal(number)
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            self.said += (await self.process.stdout.read()).decode()
            return await self.process.wait()


@asynccontextmanager
async def place(
    folder: Path, *people, settings: SimSettings | None = None, clock: WallClock | None = None
) -> AsyncIterator[Place]:
    people = people or THREE
    sim = SimUpstream(people, settings, clock)
    upstream = Server(sim.app, graceful_s=0.0)
    await upstream.start()
    one = Place(sim, folder, people, upstream.url)
    one.write()
    try:
        yield one
    finally:
        await upstream.stop(0.0)


@asynccontextmanager
async def serving(one: Place, *options: str) -> AsyncIterator[tuple[Running, Rig]]:
    """A server that is ready, and a client of it; killed at the end if it still runs."""
    running = await (await one.start(*options)).ready()
    client = HttpUpstream()

    class Address:
        url = running.url
        port = int(running.url.rpartition(":")[2])

    rig = Rig(one.sim, None, Address, None, client)  # type: ignore[arg-type]
    try:
        yield running, rig
    finally:
        for wire in rig.wires:
            wire.close()
        await client.aclose()
        if running.process.returncode is None:
            await running.end(signal.SIGKILL)


async def test_sigterm_lets_a_running_stream_finish_and_exits_with_0(tmp_path):  # O5
    clock = Patient()
    async with place(tmp_path, clock=clock) as one, serving(one) as (running, rig):
        one.sim.inject(HangFault(after="delta"), "a")
        answer = asyncio.ensure_future(rig.post())
        await until(lambda: one.sim.truth("a").in_flight)
        await asyncio.sleep(0.1)
        stopped = asyncio.ensure_future(running.end())
        await asyncio.sleep(0.3)
        assert not stopped.done()
        clock.over.set()
        got = await answer
        assert got.whole
        assert await stopped == 0
        with pytest.raises(AssertionError, match="refused"):
            await rig.get("/status")


async def test_a_second_signal_ends_at_once_and_shows_the_break(tmp_path):
    async with place(tmp_path) as one, serving(one) as (running, rig):
        one.sim.inject(HangFault(after="delta"), "a")
        answer = asyncio.ensure_future(rig.post())
        await until(lambda: one.sim.truth("a").in_flight)
        await asyncio.sleep(0.1)
        stopped = asyncio.ensure_future(running.end())
        await asyncio.sleep(0.3)
        running.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(15):  # it might drain for twenty seconds
            assert await stopped == 0
        assert (await answer).cut
        await until(lambda: one.sim.truth("a").cancelled)


async def test_stopping_answers_every_waiter(tmp_path):  # Q8
    clock = Patient()
    async with place(tmp_path, THREE[0], clock=clock) as one:
        one.more = "[pool]\nslots_per_key = 1\n"
        one.write()
        async with serving(one) as (running, rig):
            one.sim.inject(HangFault(after="delta"), "a")
            first = asyncio.ensure_future(rig.post())
            await until(lambda: one.sim.truth("a").in_flight)
            second = asyncio.ensure_future(rig.post(ask(stream=False)))
            while not (await rig.status())["summary"]["queued"]:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
            stopped = asyncio.ensure_future(running.end())
            assert (await second).error == (503, "overloaded_error")
            clock.over.set()
            assert (await first).whole
            assert await stopped == 0


async def test_a_wrong_config_ends_with_2_and_names_key_line_and_the_nearest_name(tmp_path):
    async with place(tmp_path) as one:
        text = one.config.read_text().replace("drain =", "drian =")
        one.config.write_text(text)
        line = text.splitlines().index('drian = "20s"') + 1
        assert await (await one.start()).end(None) == 2
        said = (tmp_path / "stderr").read_text()
        assert f"{one.config}:{line}" in said
        assert "drian" in said
        assert "drain" in said


async def test_a_config_that_becomes_wrong_leaves_the_server_as_it_was(tmp_path):  # O1
    async with place(tmp_path) as one, serving(one) as (_, rig):
        good = one.config.read_text()
        one.config.write_text(good.replace("priority = 0", "priorty = 0"))

        async def error() -> str | None:
            told: str | None = (await rig.status())["config"]["error"]
            return told

        async with asyncio.timeout(30):
            while (told := await error()) is None:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
        assert "priorty" in told
        assert "did you mean priority?" in told
        assert (await rig.post()).account == "a"
        one.config.write_text(good.replace('name = "a"', 'name = "a"\nenabled = false'))
        async with asyncio.timeout(30):
            while (await rig.status())["summary"]["accounts_total"] != 2:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert await error() is None
        assert (await rig.post()).account in ("b", "c")


async def test_a_second_server_says_which_one_runs(tmp_path):  # X8
    async with place(tmp_path) as one, serving(one) as (running, _):
        assert await (await one.start()).end(None) == 1
        assert str(running.process.pid) in (tmp_path / "stderr").read_text()


async def test_a_restart_keeps_windows_benches_and_bindings(tmp_path):  # S18
    people = (plan("p", used_5h=0.4, used_7d=0.3), plan("q", used_5h=0.2, used_7d=0.1))
    sessions = [{**CLAUDE_CODE, "x-claude-code-session-id": f"s{n}"} for n in range(4)]
    async with place(tmp_path, *people) as one:
        async with serving(one) as (running, rig):
            for headers in sessions:
                assert (await rig.post(ask("x" * 20_000), headers=headers)).whole
            one.sim.inject(QuotaFault(window="5h", resets_in_s=900.0), "p")
            assert (await rig.post(headers=sessions[0])).account == "q"
            before = await rig.status()
            assert await running.end() == 0
        async with serving(one) as (running, rig):
            after = await rig.status()
            assert after["notices"] == []
            for old, new in zip(before["accounts"], after["accounts"], strict=True):
                assert new["state"] == old["state"]
                assert new["unavailable"] == old["unavailable"]
                for was, now in zip(old["windows"], new["windows"], strict=True):
                    assert now["source"] == "restored"
                    assert (now["window"], now["utilization"], now["reset_at"]) == (
                        was["window"],
                        was["utilization"],
                        was["reset_at"],
                    )
            bound = [
                {s["session"]: s["account"] for s in d["sessions"]["list"]} for d in (before, after)
            ]
            assert bound[0] == bound[1]
            assert len(bound[0]) == 4
            assert (await rig.post(headers=sessions[0])).account == "q"
            assert await running.end() == 0


async def test_kill_9_loses_at_most_the_last_second_and_the_next_start_works(tmp_path):  # O3
    async with place(tmp_path) as one:
        async with serving(one) as (running, rig):
            one.sim.inject(QuotaFault(window="5h", resets_in_s=900.0), "a")
            assert (await rig.post()).account == "b"
            await asyncio.sleep(2.2)
            one.sim.inject(HangFault(after="delta"), "b")
            streams = [asyncio.ensure_future(rig.post()) for _ in range(5)]
            await until(lambda: one.sim.truth("b").in_flight)
            await asyncio.sleep(0.2)
            assert await running.end(signal.SIGKILL) == -signal.SIGKILL
            ends = await asyncio.gather(*streams, return_exceptions=True)
            assert not [got for got in ends if isinstance(got, Got) and not (got.cut or got.whole)]
        async with serving(one) as (running, rig):
            assert (await rig.state("a"))["unavailable"]["reason"] == "quota"
            assert (await rig.status())["summary"]["requests_in_flight"] == 0
            assert (await rig.post()).account == "b"


async def test_a_broken_state_file_is_set_aside_and_named(tmp_path):  # O2
    async with place(tmp_path) as one:
        one.state.mkdir(mode=0o700)
        (one.state / "state.db").write_bytes(b"no database" * 1000)
        async with serving(one) as (running, rig):
            assert (await rig.post()).whole
            assert "set aside" in " ".join((await rig.status())["notices"])
            assert await running.end() == 0


QUESTION, ANSWERED = "zebra-question-7316", "please refuse this zebra-question-7316"


async def test_the_log_holds_no_prompt_no_answer_and_no_secret_at_any_level(tmp_path):  # O6
    async with place(tmp_path) as one:
        one.level = "debug"
        one.write()
        async with serving(one) as (running, rig):
            answers = []
            for fault in (
                None,
                faults.status(500),
                faults.unauthorized(),
                faults.organization_disabled(),
                faults.CutFault(after="delta"),
                faults.CutFault(),
                faults.GarbageFault(kind="truncated_gzip"),
                faults.HeaderFault(headers=(("x-odd", "sk-ant-api03-zzzz"),)),
            ):
                if fault is not None:
                    one.sim.inject(fault, None)
                for text in (QUESTION, ANSWERED):
                    got = await rig.post(
                        ask(text), headers={"x-api-key": "sk-ant-api03-client-7316"}
                    )
                    answers.append(got.body)
            await rig.post(b'{"model": "m", "messages": "' + QUESTION.encode() + b'" broken')
            await rig.get(f"/nowhere?{QUESTION}")
            await rig.get("/status")
            assert await running.end() == 0
        written = running.said + (tmp_path / "stderr").read_text()
        assert "DEBUG" in written or "INFO" in written
        written += "".join(f.read_bytes().decode("latin-1") for f in one.state.iterdir())
        for secret in (
            QUESTION,
            "I cannot help with that",
            "secret-of-",
            "client-7316",
            "api03-zzzz",
        ):
            assert secret not in written
        words = {
            w for body in answers for w in re.findall(rb'"text_delta","text":"([^"]{25,})"', body)
        }
        assert not [w for w in words if w.decode() in written]


async def test_files_of_the_state_folder_are_the_owners_alone(tmp_path):
    async with place(tmp_path) as one, serving(one) as (running, rig):
        await rig.post()
        assert await running.end() == 0
        assert oct(one.state.stat().st_mode & 0o777) == "0o700"
        modes = {f.name: oct(f.stat().st_mode & 0o777) for f in one.state.iterdir()}
        assert set(modes.values()) == {"0o600"}, modes
        assert json.dumps(modes)


async def test_a_missing_secret_is_said_and_the_others_serve(tmp_path):
    async with place(tmp_path) as one:
        one.config.write_text(
            one.config.read_text().replace("env:SECRET_A", "env:NOT_SET_ANYWHERE")
        )
        async with serving(one) as (_, rig):
            assert (await rig.post()).account in ("b", "c")
            assert "NOT_SET_ANYWHERE" in " ".join((await rig.status())["notices"])
            assert (await rig.state("a"))["state"] == "locked_out"

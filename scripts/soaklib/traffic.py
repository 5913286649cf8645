"""Mixed traffic against a real `maxpool serve`: streams, JSON, clients that leave or read slowly, faults, reloads.

The upstream and the clients live in this process, the server in its own, so that its memory, files and tasks
can be told apart. What must hold at the end: nothing is in flight, nothing grew, every answer was what the
upstream sent, and every request stands in the server's counters.
"""

import asyncio
import itertools
import os
import random
import resource
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from maxpool.adapters.server import Server
from maxpool.adapters.upstream import HttpUpstream
from maxpool.sim.plans import SimSettings
from maxpool.sim.upstream import SimUpstream
from tests.claims.test_operations import Place, serving
from tests.faults.chaos import SECTIONS, UNLIMITED, Lots, judge
from tests.faults.tap import Tap
from tests.rig import ask, key, request_bytes

PEOPLE = tuple(key(name) for name in "abc")
SETTINGS = SimSettings(
    time_to_first_token_s=0.02, tokens_per_s=2000.0, speed_jitter=0.9, answer_tokens=(8, 200),
    gzip=True, **UNLIMITED,
)  # fmt: skip
AT_ONCE, SESSIONS = 40, 100
LEAVING, SLOW, COUNTING = 0.15, 0.05, 0.05
"""Shares of clients that leave, read slowly, or only count tokens."""

RELOAD_EVERY_S = 2.0
SETTLES_S = 20.0
WAITS_S = 3.0
"""For headers and for the next byte: longer than a busy machine holds anybody up."""

LATER = 1.15
"""Allowed growth of memory over the second half."""

MORE_FILES = 4


@dataclass
class Tally:
    """What the clients did and saw."""

    kept: int = 0
    left: int = 0
    ends: Counter = field(default_factory=Counter)
    wrong: list = field(default_factory=list)
    reloads: int = 0


def run(minutes, seed):
    """The soak; the number of things that were wrong."""
    return asyncio.run(_run(minutes * 60, seed))


async def _run(seconds, seed):
    tally, tap = Tally(), Tap()
    sim = SimUpstream(PEOPLE, SETTINGS)
    upstream = Server(tap(sim.app), graceful_s=0.0)
    await upstream.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            one = Place(sim, Path(folder), PEOPLE, upstream.url, level="error", more=_sections())
            _configure(one)
            async with serving(one) as (running, it):
                await it.client.aclose()
                it.client = HttpUpstream(keepalive_expiry_s=0.5)  # else its idle connections stay
                lots = Lots(random.Random(f"lots:{seed}"), "storm")
                sim.disturb(lots)
                pid = running.process.pid
                await _play(it, one, (tally, tap, lots), pid, seconds, random.Random(seed))
                code = await running.end()
                if code:
                    tally.wrong.append(f"exit code {code}")
                log = (one.folder / "stderr").read_text(errors="replace").splitlines()
                tally.wrong += [line for line in log if "failed inside" in line or "Trace" in line]
    finally:
        await upstream.stop(0.0)
    ends = ", ".join(f"{name} {n:,}" for name, n in tally.ends.most_common())
    print(f"{tally.kept:,} answered, {tally.left:,} left, {tally.reloads} reloads: {ends}")
    print(f"wrong: {len(tally.wrong)}", *tally.wrong[:20], sep="\n  ")
    return len(tally.wrong)


async def _play(it, one, among, pid, seconds, chance):
    tally = among[0]
    rest = await _facts(it, pid)
    end = time.monotonic() + seconds
    numbers = iter(range(1 << 60))

    async def keep_asking():
        while time.monotonic() < end:
            await _one(it, f"{next(numbers)}", chance, among)

    busy = [asyncio.create_task(keep_asking()) for _ in range(AT_ONCE)]
    beside = [
        asyncio.create_task(_reload(one.config, tally)),
        asyncio.create_task(_watch(pid, seconds, tally)),
    ]
    await asyncio.gather(*busy)
    beside[0].cancel()
    await beside[1]
    sim_idle = lambda: not any(it.sim.truth(p.name).in_flight for p in PEOPLE)  # noqa: E731
    settled = await _settled(it, pid, rest, sim_idle)
    tally.wrong += settled
    _count(tally, (await it.status()))


async def _one(it, tag, chance, among):
    tally, tap, lots = among
    drawn = chance.random()
    body = ask(f"{tag} " + "x" * chance.randrange(10, 3000), stream=chance.random() < 0.7)
    if drawn < LEAVING:
        tally.left += 1
        await _leave(it, body, tag, chance)
        lots.of.pop(tag, None)
        return
    tally.kept += 1
    if drawn < LEAVING + SLOW:
        tally.ends["read slowly"] += 1
        if not await _read_slowly(it, body, tag):
            tally.wrong.append(f"{tag}: a slow reader got nothing")
        lots.of.pop(tag, None)
        return
    if drawn < LEAVING + SLOW + COUNTING:
        headers = {"x-claude-code-session-id": _session(tag)}
        got = await it.post(body, "/v1/messages/count_tokens", headers)
        tally.ends[f"count {got.status}"] += 1
        return
    headers = {"x-tag": tag, "x-claude-code-session-id": _session(tag)}
    began = time.monotonic()
    got = await it.post(body, headers=headers)
    visits, met = tap.of(tag), lots.of.pop(tag, [])
    name, wrong = judge(got, visits, met, time.monotonic() - began)
    tally.ends[name] += 1
    if got.status >= 400:
        tally.ends[f"status {got.status}"] += 1
    if wrong:
        tally.wrong.append(f"{tag} [{name}] {wrong}; met {met}; {got.body[:200]!r}")


def _session(tag):
    """One of a number of sessions that soon are all known: what is kept of them grows no more."""
    return f"s{int(tag) // 20 % SESSIONS}"


def _request(body, tag, **headers):
    return request_bytes(body, x_tag=tag, x_claude_code_session_id=_session(tag), **headers)


async def _leave(it, body, tag, chance):
    client = await it.connect()
    it.wires.remove(client)
    await client.send(_request(body, tag))
    await asyncio.sleep(chance.choice((0.0, 0.01, 0.05, 0.2)) * chance.random())
    client.reset()


async def _read_slowly(it, body, tag):
    client = await it.connect(receive_buffer=4096)
    it.wires.remove(client)
    await client.send(_request(body, tag, connection="close"))
    got = b""
    while chunk := await client.read(1024):
        got += chunk
        await asyncio.sleep(0.02)
    client.close()
    return got.startswith(b"HTTP/1.1 ")


async def _reload(config, tally):
    """The config changes all the time: an account goes and comes, and now and then it is wrong.

    It is written as editors do: emptied first.
    """
    good = config.read_text()
    texts = (
        good.replace('name = "b"', 'name = "b"\nenabled = false'),
        good,
        good.replace("priority", "priorty"),
        good[: good.rindex("[[accounts]]")],
    )
    for text in itertools.cycle(texts):
        await asyncio.sleep(RELOAD_EVERY_S)
        tally.reloads += 1
        config.write_text(text)


async def _watch(pid, seconds, tally):
    """Memory by the tenth of the time."""
    base = 0.0
    used = _memory_mb(pid)
    for tenth in range(1, 11):
        await asyncio.sleep(seconds / 10)
        used = _memory_mb(pid)
        if tenth >= 5:
            base = base or used
        asked = tally.kept + tally.left
        print(f"{tenth * seconds / 600:6.1f} min  {asked:>9,} requests  {used:6.1f} MB", flush=True)
    if used > base * LATER:
        tally.wrong.append(f"memory grew from {base:.1f} to {used:.1f} MB in the second half")


async def _settled(it, pid, rest, sim_idle):
    """What is still there some time after the last client went."""
    end = time.monotonic() + SETTLES_S
    while True:
        now = await _facts(it, pid)
        left = {name: n for name, n in now.items() if n > rest[name]}
        if (not left and sim_idle()) or time.monotonic() > end:
            break
        await asyncio.sleep(0.2)
    wrong = [f"{name} left: {n}, {rest[name]} at rest" for name, n in left.items()]
    return wrong + ([] if sim_idle() else ["requests left at the upstream"])


async def _facts(it, pid):
    status = await it.status()
    return {
        "requests in flight": status["summary"]["requests_in_flight"],
        "queued": status["summary"]["queued"],
        "tasks": status["jobs"]["tasks"],
        "files": len(os.listdir(f"/proc/{pid}/fd")) - MORE_FILES,
        "internal errors": status["harm"]["internal_errors"],
    }


def _count(tally, status):
    """Whether every request stands in the counters; one that left may have gone before it arrived."""
    totals = status["totals"]
    counted = totals["requests"] + totals["client_gone"]
    if not tally.kept <= counted <= tally.kept + tally.left:
        tally.wrong.append(
            f"{counted:,} requests were counted; {tally.kept:,} were answered, {tally.left:,} left"
        )
    for code, count in status["harm"]["client_errors"].items():
        seen = tally.ends[f"status {code}"]
        if not seen <= count <= seen + tally.left + tally.ends["read slowly"]:
            tally.wrong.append(f"{count} answers with {code} were counted, {seen} were seen")


def _memory_mb(pid):
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def _configure(one):
    """Write the good config."""
    one.write()
    keys = {name: WAITS_S if "timeout" in name else n for name, n in SECTIONS["upstream"].items()}
    extra = "".join(_key(name, value) for name, value in keys.items())
    text = one.config.read_text().replace("[upstream]\n", f"[upstream]\n{extra}")
    one.config.write_text(text)


def _sections():
    return "".join(
        f"[{name}]\n" + "".join(_key(key, value) for key, value in SECTIONS[name].items())
        for name in ("queue", "pool")
    )


def _key(name, value):
    return f"{name} = {list(value) if isinstance(value, tuple) else value}\n"

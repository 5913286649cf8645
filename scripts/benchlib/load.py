"""Requests that are answered at once: as many as fit (closed loop), or at fixed times (open loop)."""

import asyncio
import time
from dataclasses import dataclass

from benchlib.client import connect, paced

ANSWER_BYTES = 1024
ORDER = b"answer=%d" % ANSWER_BYTES
ANSWER_LIMIT_S = 60.0

TIMER_STEP_S = 0.0015
"""Timers of the loop go by milliseconds: a request that leaves this late is timed from when it left.
One that leaves later is timed from when it was due, since then something was in its way."""

SESSIONS = 64


@dataclass(slots=True)
class Load:
    """The outcome of one run of requests: times in seconds."""

    seconds: float
    good: int
    bad: int
    latencies: list


class Closed:
    """One asker of a closed loop: asks again as soon as it was answered, until the time is over."""

    def __init__(self, port, requests, session, end_ns):
        self.port, self.requests, self.session, self.end_ns = port, requests, session, end_ns
        self.latencies, self.bad = [], 0
        self.over = asyncio.get_running_loop().create_future()
        self.reconnecting = None

    async def start(self):
        self.connection = await connect(self.port)
        self.ask()

    def ask(self):
        _, data = self.requests.make(self.session, ORDER)
        self.connection.ask(data, self.finished)

    def finished(self, connection):
        if connection.answered and connection.size == ANSWER_BYTES:
            self.latencies.append(connection.took_s)
        else:
            self.bad += 1
        if time.monotonic_ns() >= self.end_ns:
            if not self.over.done():
                self.over.set_result(None)
        elif connection.lost or connection.closing:
            self.reconnecting = asyncio.ensure_future(self.again())
        else:
            self.ask()

    async def again(self):
        self.connection.transport.abort()
        try:
            await self.start()
        except OSError:
            self.bad += 1
            self.over.set_result(None)


async def closed_loop(port, requests, connections, seconds):
    """Each connection asks again as soon as it was answered."""
    start = time.monotonic()
    end_ns = time.monotonic_ns() + int(seconds * 1e9)
    askers = [Closed(port, requests, number, end_ns) for number in range(connections)]
    await asyncio.gather(*(asker.start() for asker in askers))
    async with asyncio.timeout(seconds + ANSWER_LIMIT_S):
        await asyncio.gather(*(asker.over for asker in askers))
    taken = time.monotonic() - start
    for asker in askers:
        asker.connection.transport.abort()
    latencies = [took for asker in askers for took in asker.latencies]
    return Load(taken, len(latencies), sum(asker.bad for asker in askers), latencies)


class Open:
    """An open loop: requests leave when they are due, on idle connections or new ones."""

    def __init__(self, port, requests):
        self.port, self.requests = port, requests
        self.idle, self.latencies, self.bad, self.running = [], [], 0, set()

    def start(self, number, due_ns):
        task = asyncio.ensure_future(self.one(number, due_ns))
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def one(self, number, due_ns):
        try:
            connection = self.idle.pop() if self.idle else await connect(self.port)
        except OSError:
            self.bad += 1
            return
        done = asyncio.get_running_loop().create_future()
        _, data = self.requests.make(number % SESSIONS, ORDER)
        connection.ask(data, lambda _: done.done() or done.set_result(None))
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                await done
        except TimeoutError:
            self.bad += 1
            connection.transport.abort()
            return
        if connection.answered and connection.size == ANSWER_BYTES:
            self.latencies.append((connection.now_ns - since_ns(due_ns, connection.sent_ns)) / 1e9)
        else:
            self.bad += 1
        if not (connection.lost or connection.closing):
            self.idle.append(connection)


def since_ns(due_ns, sent_ns):
    """From when a request is timed."""
    return sent_ns if sent_ns - due_ns <= TIMER_STEP_S * 1e9 else due_ns


async def open_loop(port, requests, rate, seconds):
    """Requests at fixed times whether or not earlier ones were answered."""
    opened = Open(port, requests)
    opened.idle += [await connect(port) for _ in range(8)]
    count = max(1, round(rate * seconds))
    await paced(count, rate, opened.start)
    while opened.running:
        await asyncio.wait(opened.running)
    for connection in opened.idle:
        connection.transport.abort()
    return Load(count / rate, len(opened.latencies), opened.bad, opened.latencies)

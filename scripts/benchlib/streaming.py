"""Many streams at once: time to the first event, delay of each, streams lost, and clients that leave."""

import asyncio
import json
import math
import time
from dataclasses import dataclass, field

from benchlib.client import connect, fetch, paced
from benchlib.load import since_ns

STREAM_LIMIT_S = 90.0
SEEN_LIMIT_S = 3.0
"""How long the upstream may take to see that a client has gone."""

SETTLE_S = 0.2
"""At each step of a ramp, what is left out: the streams change over one after the other."""


@dataclass(slots=True)
class Step:
    """What arrived of the events written within one step of a ramp."""

    rate: int
    begin_ns: int = 0
    end_ns: int = 0
    delays_ns: list = field(default_factory=list)


class Streams:
    """Streams that are opened at a rate; each tells what became of it here."""

    def __init__(self, port, requests):
        self.port, self.requests = port, requests
        self.first_s, self.lost, self.events = [], 0, 0
        self.running, self.steps = set(), ()

    def start(self, number, due_ns, order, events):
        task = asyncio.ensure_future(self.one(number, due_ns, order, events))
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def one(self, number, due_ns, order, events):
        connection = None
        try:
            connection = await connect(self.port)
            done = asyncio.get_running_loop().create_future()
            _, data = self.requests.make(1000 + number, order)
            first = []

            def arrived(now_ns, stamps):
                if not first:
                    first.append(now_ns)
                self.count(now_ns, stamps)

            connection.ask(data, lambda _: done.done() or done.set_result(None), arrived)
            async with asyncio.timeout(STREAM_LIMIT_S):
                await done
        except (OSError, TimeoutError):
            self.lost += 1
            return
        finally:
            if connection is not None:
                connection.transport.abort()
        if first:
            self.first_s.append((first[0] - since_ns(due_ns, connection.sent_ns)) / 1e9)
        if not (connection.answered and connection.events == events and connection.stopped):
            self.lost += 1

    def count(self, now_ns, stamps):
        self.events += len(stamps)
        for stamp in stamps:
            for step in self.steps:
                if step.begin_ns <= stamp < step.end_ns:
                    step.delays_ns.append(now_ns - stamp)

    async def all_over(self):
        while self.running:
            await asyncio.wait(self.running)


def order(steps):
    """How a stream is asked for: pairs of a count and the seconds between two events."""
    return b"events=" + b",".join(b"%dx%.3f" % (n, gap_s * 1000) for n, gap_s in steps if n)


async def held(port, requests, count, opening_rate, event_rate, hold_s):
    """So many streams opened one after the other and held together for a while."""
    streams = Streams(port, requests)
    gap_s, opening_s = count / event_rate, count / opening_rate

    def start(number, due_ns):
        events = 1 + math.ceil((opening_s - number / opening_rate + hold_s) / gap_s)
        streams.start(number, due_ns, order([(events, gap_s)]), events)

    await paced(count, opening_rate, start)
    await streams.all_over()
    return streams


async def ramp(port, requests, count, rates, step_s, mark=None, opening_rate=200):
    """The same streams at growing rates of events; each step's delays, by when an event was written.

    `mark(streams)` is called when all are open, and when the last step is over.
    """
    streams = Streams(port, requests)
    opening_s = count / opening_rate
    streams.steps = [Step(rate) for rate in rates]
    slow_s = count / rates[0]
    if mark is not None:
        for at_s in (opening_s, opening_s + step_s * len(rates)):
            asyncio.get_running_loop().call_later(at_s, mark, streams)

    def start(number, due_ns):
        if number == 0:
            for place, step in enumerate(streams.steps):
                begin_s = opening_s + place * step_s
                step.begin_ns = due_ns + round((begin_s + SETTLE_S) * 1e9)
                step.end_ns = due_ns + round((begin_s + step_s) * 1e9)
        early = 1 + round((opening_s - number / opening_rate) / slow_s)
        steps = [(early, slow_s), *((round(step_s * r / count), count / r) for r in rates)]
        streams.start(number, due_ns, order(steps), sum(n for n, _ in steps))

    await paced(count, opening_rate, start)
    await streams.all_over()
    return streams


async def aborts(port, upstream_port, requests, count, rate, ask_more=0.05):
    """Clients that reset in mid-stream: seconds until the upstream saw each; None for the unseen."""
    await fetch(upstream_port, b"/bench/ends")
    gone, running = {}, set()
    wanted = order([(2, 30.0)])  # the first event at once, then nothing

    async def one(number):
        connection = await connect(port)
        came = asyncio.Event()
        name, data = requests.make(5000 + number, wanted)
        connection.ask(data, lambda _: came.set(), lambda *_: came.set())
        await asyncio.wait_for(came.wait(), STREAM_LIMIT_S)
        await asyncio.sleep(ask_more)
        gone[name] = time.monotonic_ns()
        connection.reset()

    def start(number, due_ns):
        task = asyncio.ensure_future(one(number))
        running.add(task)
        task.add_done_callback(running.discard)

    await paced(count, rate, start)
    while running:
        await asyncio.wait(running)
    seen, end = {}, time.monotonic() + SEEN_LIMIT_S
    while len(seen) < len(gone) and time.monotonic() < end:
        await asyncio.sleep(0.1)
        _, told = await fetch(upstream_port, b"/bench/ends")
        seen |= {int(name): at for name, at in json.loads(told).items()}
    return [(seen[name] - at) / 1e9 if name in seen else None for name, at in gone.items()]

"""A lean upstream on loopback: answers Messages requests as fast as Python can.

Run as `python -m benchlib.upstream`; prints its port. One ticker writes the events of all streams.
`GET /bench/ends` tells, and forgets, when which unfinished streams were seen to end.
"""

import argparse
import asyncio
import heapq
import itertools
import json
import time

from benchlib import answers
from benchlib.framing import Framing

TICK_S = 0.001
"""Between two looks at what is due: as fine as the loop's own timers are."""


class Ticker:
    """Writes each stream's next event when it is due; one timer for all, none while there are none."""

    def __init__(self, loop):
        self.loop, self.due, self.order = loop, [], itertools.count()
        self.ticking = False

    def add(self, due_ns, stream):
        heapq.heappush(self.due, (due_ns, next(self.order), stream))
        if not self.ticking:
            self.ticking = True
            self.loop.call_later(TICK_S, self.tick)

    def tick(self):
        now, due = time.monotonic_ns(), self.due
        while due and due[0][0] <= now:
            due_ns, _, stream = due[0]
            later_ns = stream.tick()
            if later_ns is None:
                heapq.heappop(due)
            else:
                heapq.heapreplace(due, (due_ns + later_ns, next(self.order), stream))
        self.ticking = bool(due)
        if due:
            self.loop.call_later(TICK_S, self.tick)


class Stream:
    """One running answer: what is left of its steps."""

    def __init__(self, number, steps, transport):
        self.number, self.transport = number, transport
        self.gaps_ns = itertools.chain.from_iterable(
            itertools.repeat(round(gap_s * 1e9), count) for count, gap_s in steps
        )
        next(self.gaps_ns, None)  # the first event follows nothing
        self.over = False

    def tick(self):
        """Write an event, and the end after the last; nanoseconds to the next one, None for none."""
        if self.over:
            return None
        later_ns = next(self.gaps_ns, None)
        data = answers.delta(time.monotonic_ns())
        if later_ns is None:
            self.over = True
            data += answers.closing()
        self.transport.write(data)
        return later_ns


class Upstream(Framing):
    """One connection; requests on it come one after the other."""

    def __init__(self, ticker, ends):
        super().__init__()
        self.ticker, self.ends = ticker, ends
        self.body, self.stream, self.line = [], None, b""

    def connection_lost(self, exc):
        if self.stream is not None and not self.stream.over:
            self.stream.over = True
            self.ends[self.stream.number] = time.monotonic_ns()

    def on_head(self, head):
        self.line = head[:40]

    def on_body(self, piece):
        self.body.append(piece)

    def on_end(self):
        body, self.body = b"".join(self.body), []
        if self.line.startswith(b"GET /bench/ends"):
            told = json.dumps(self.ends).encode()
            self.ends.clear()
            self.transport.write(answers.head(b"application/json", len(told)) + told)
            return
        wanted = answers.wanted(body)
        if not wanted.steps:
            self.transport.write(answers.json_answer(wanted.answer_bytes))
            return
        self.stream = Stream(wanted.number, wanted.steps, self.transport)
        self.transport.write(answers.opening())
        later_ns = self.stream.tick()
        if later_ns is not None:
            self.ticker.add(time.monotonic_ns() + later_ns, self.stream)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    loop = asyncio.get_running_loop()
    ticker, ends = Ticker(loop), {}
    server = await loop.create_server(
        lambda: Upstream(ticker, ends), "127.0.0.1", options.port, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    from benchlib.processes import new_loop

    asyncio.Runner(loop_factory=new_loop).run(main())

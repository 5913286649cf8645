"""The parts of a turn: each measures one line for a few seconds and gives its figures by name.

A name ends in its unit, and the unit says how a figure compares: `ms` adds to direct's, `/s` is a share of it.
"""

import asyncio

from benchlib import load, streaming
from benchlib.asking import Requests
from benchlib.report import percentile

SIZES = ((1024, "1 KB"), (40_960, "40 KB"))
STREAM_BYTES = 4096
POLL_S = 0.1


class Used:
    """CPU and memory of a line's processes since this was made."""

    def __init__(self, line):
        self.tree = line.tree
        self.cpu = self.tree.cpu_s() if self.tree else 0.0
        self.rss = self.peak = self.tree.rss_bytes() if self.tree else 0

    def cpu_us_each(self, count):
        return (self.tree.cpu_s() - self.cpu) / max(1, count) * 1e6

    async def watch(self, work):
        """Do the work and remember the most memory meanwhile."""
        running = asyncio.ensure_future(work)
        while not running.done():
            await asyncio.wait({running}, timeout=POLL_S)
            if self.tree:
                self.peak = max(self.peak, self.tree.rss_bytes())
        return await running


def spread(name, values_s, figures):
    for share, label in ((0.5, "p50"), (0.99, "p99")):
        figures[f"{name} {label}, ms"] = percentile(values_s, share) * 1e3


async def closed_loops(line, chosen, seconds):
    """As many requests as fit, of each size."""
    figures, failed = {}, 0
    for size, name in SIZES:
        made = Requests(size, key=line.key, prefix=line.prefix)
        await load.closed_loop(line.port, made, chosen.connections, 0.2)
        used = Used(line)
        run = await load.closed_loop(line.port, made, chosen.connections, seconds)
        figures[f"{name}: requests/s"] = run.good / run.seconds
        if line.tree:
            figures[f"{name}: CPU per request, us"] = used.cpu_us_each(run.good)
        failed += run.bad
    return figures, failed


async def requests(line, chosen):
    """Answers of 1 KB to requests of two sizes: as many as fit, and at a rate."""
    figures, failed = await closed_loops(line, chosen, chosen.seconds)
    for size, name in SIZES:
        made = Requests(size, key=line.key, prefix=line.prefix)
        run = await load.open_loop(line.port, made, chosen.rate, chosen.seconds)
        spread(f"{name} at {chosen.rate}/s:", run.latencies, figures)
        failed += run.bad
    figures["requests that failed"] = failed
    return figures


async def streams(line, chosen):
    """Streams held open together: when each began, whether each came whole, what memory they took."""
    figures = {}
    made = Requests(STREAM_BYTES, stream=True, key=line.key, prefix=line.prefix)
    for count in chosen.streams:
        used, many = Used(line), count > 1000
        rates = (chosen.opening * 2 if many else chosen.opening, 1000 if many else 2000)
        run = await used.watch(streaming.held(line.port, made, count, *rates, chosen.hold))
        name = f"{count:,} streams:"
        if not many:
            spread(f"{name} first event", run.first_s, figures)
        figures[f"{name} lost"] = run.lost
        if line.tree and count == max(chosen.streams):
            figures[f"{name} KB of memory each"] = (used.peak - used.rss) / count / 1024
    return figures


async def events(line, chosen):
    """One set of streams at growing rates of events: how late each event is."""
    figures = {}
    made = Requests(STREAM_BYTES, stream=True, key=line.key, prefix=line.prefix)
    marks = []

    def mark(running):
        marks.append((line.tree.cpu_s() if line.tree else 0.0, running.events))

    run = await streaming.ramp(
        line.port, made, chosen.ramp_streams, chosen.rates, chosen.step, mark
    )
    for step in run.steps:
        name = f"{step.rate:,} events/s:"
        spread(f"{name} delay", [delay / 1e9 for delay in step.delays_ns], figures)
    if line.tree:
        (cpu, count), (cpu_later, count_later) = marks
        figures["CPU per event, us"] = (cpu_later - cpu) / max(1, count_later - count) * 1e6
    figures["ramp: streams lost"] = run.lost
    return figures


async def aborts(line, chosen):
    """Clients that reset in mid-stream: how soon the upstream sees it."""
    made = Requests(STREAM_BYTES, stream=True, key=line.key, prefix=line.prefix)
    found = await streaming.aborts(line.port, chosen.upstream_port, made, chosen.aborts, rate=100)
    seen = [took for took in found if took is not None]
    figures = {}
    spread("abort to upstream", seen, figures)
    figures["aborts never seen"] = len(found) - len(seen)
    return figures


TRAFFIC = {"requests": requests, "streams": streams, "events": events, "aborts": aborts}

"""One run: every line started, and measured in turn, so that a slow minute of the machine is everybody's."""

import asyncio
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchlib import lines, parts, processes, profiling
from benchlib.machine import PROXY_CORE, BenchError, fixed_work_s

PROFILED_S = 6


@dataclass(frozen=True, slots=True)
class Run:
    """The figures of each line by repetition, and what the machine was like in each turn."""

    figures: dict
    machine: list


def started(stack, chosen, upstream, files):
    """Every way to the upstream that is measured, started."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="maxpool-bench-")))
    found = [lines.Line("direct", upstream.port)]
    program = None if chosen.no_nginx else lines.nginx_program(chosen.nginx)
    if program:
        found.append(stack.enter_context(lines.nginx(program, upstream.port, folder / "nginx")))
    for kind, client in [] if chosen.no_maxpool else variants(chosen):
        name = "-".join(["maxpool", *([client] if client else []), *([kind] if kind else [])])
        way = lines.maxpool(name, upstream.port, folder / name, kind or "keys", client, files)
        found.append(stack.enter_context(way))
    pids = chosen.compare_pid + [None] * len(chosen.compare)
    for told, pid in zip(chosen.compare, pids, strict=False):
        found.append(stack.enter_context(lines.other(told, pid, chosen.compare_key)))
    return found


def variants(chosen):
    """Accounts and client of each maxpool; None where nothing was chosen, and the name need not say it."""
    return [
        (kind, client) for kind in chosen.accounts or [None] for client in chosen.client or [None]
    ]


def at_rest(ways):
    """Memory and CPU of each line before anybody asked it anything."""
    time.sleep(1.0)
    before = {line.name: line.tree.cpu_s() for line in ways if line.tree}
    time.sleep(1.0)
    return {
        line.name: {
            "memory at rest, MB": line.tree.rss_bytes() / 2**20,
            "CPU at rest, %": (line.tree.cpu_s() - before[line.name]) * 100,
        }
        for line in ways
        if line.tree
    }


async def turn(line, chosen):
    """All traffic parts on one line, and what the machine was like meanwhile."""
    found, work_s = {}, fixed_work_s(PROXY_CORE)
    waited_s, began = line.tree.waited_s() if line.tree else 0.0, time.monotonic()
    for name, part in parts.TRAFFIC.items():
        if name in chosen.parts:
            found |= await part(line, chosen)
    took_s = time.monotonic() - began
    waited_s = line.tree.waited_s() - waited_s if line.tree else 0.0
    return found, {
        "line": line.name,
        "fixed_work_ms": work_s * 1e3,
        "waited_share": waited_s / took_s,
        "seconds": took_s,
    }


async def measure(ways, chosen):
    """Every line in turn, the order reversed each time, so that a drift of the machine is fair to all."""
    turns, machines = {line.name: [] for line in ways}, []
    for repetition in range(chosen.repetitions):
        for line in reversed(ways) if repetition % 2 else ways:
            told = f"  {repetition + 1}/{chosen.repetitions} {line.name} ..."
            print(told, file=sys.stderr, flush=True)
            found, machine = await turn(line, chosen)
            turns[line.name].append(found)
            machines.append(machine)
    return turns, machines


def run(chosen):
    """Start all lines, measure them, stop them."""
    with (
        processes.room_for_sockets() as files,
        processes.upstream(chosen.upstream_port) as upstream,
        ExitStack() as stack,
    ):
        chosen.upstream_port = upstream.port
        ways = started(stack, chosen, upstream, files)
        resting = at_rest(ways)
        with asyncio.Runner(loop_factory=processes.new_loop) as runner:
            figures, machine = runner.run(measure(ways, chosen))
            for line in ways:
                if line.tree:
                    add_memory(line, figures[line.name], resting[line.name])
            if chosen.profile:
                profile(runner, ways, chosen)
    return Run(figures, machine)


def add_memory(line, repetitions, resting):
    """What was measured once, before and after all turns."""
    for found in repetitions:
        found |= resting
    repetitions[-1]["memory after the load, MB"] = line.tree.rss_bytes() / 2**20


def profile(runner, ways, chosen):
    """One more run on maxpool, watched by py-spy: the closed loop, or the first part chosen instead."""
    line = next((line for line in ways if line.name.startswith("maxpool")), None)
    if line is None:
        raise BenchError("--profile watches maxpool, and there is none in this run")
    name = next(name for name in parts.TRAFFIC if name in chosen.parts)
    work = parts.closed_loops(line, chosen, PROFILED_S / 2) if name == "requests" else None
    with profiling.profiled(line.tree.pid, chosen.profile, PROFILED_S):
        runner.run(work or parts.TRAFFIC[name](line, chosen))
    print(f"profile of {name} in {chosen.profile}", file=sys.stderr)

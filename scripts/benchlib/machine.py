"""The machine: its cores, who goes first on them, and how fast it is right now."""

import os
import platform
import time
from pathlib import Path

BUSY = 0.05
"""A proxy that waited for its core longer than this share of the time was not measured alone."""


class BenchError(Exception):
    """The bench cannot go on; the text says why."""


def cores():
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


CORES = cores()
PROXY_CORE, LOAD_CORE = CORES[0], CORES[-1]
"""The proxy has a core to itself; upstream and load share another. Known before anything is pinned."""


def pin(core, pid=0):
    """Keep a process on `core` where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, {core})


def go_first():
    """Give this process, and what it starts, the cores before all ordinary processes (sched(7)).

    The system itself leaves those a twentieth of each second, so a full core shows 5 % less.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except (OSError, AttributeError) as exc:
        raise BenchError(f"--first: not allowed or not possible here ({exc})") from exc


def fixed_work_s(core):
    """CPU seconds of a fixed piece of work on a core: how fast the machine is right now."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    pin(core)
    start = time.process_time()
    text = "".join(str(n) for n in range(2000)).encode()
    for _ in range(60):
        sum({n: text.find(b"%d" % n) for n in range(0, 2000, 9)}.values())
    used = time.process_time() - start
    if before:
        os.sched_setaffinity(0, before)
    return used


def model():
    """The name of the processor."""
    told = Path("/proc/cpuinfo")
    for line in told.read_text().splitlines() if told.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def told(turns):
    """What the machine was like, so that nobody takes its swings for the program's."""
    work = [turn["fixed_work_ms"] for turn in turns]
    waited = max(turn["waited_share"] for turn in turns)
    text = (
        f"machine: a fixed piece of work took {min(work):.1f} to {max(work):.1f} ms of CPU; "
        f"the proxy waited for its core {waited:.1%} of the time at most"
    )
    return text + (". Others were at work: do not trust these times." if waited > BUSY else "")

"""Starting, measuring and stopping the upstream and the proxy: each by its own pid, on its own core."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
START_LIMIT_S = 30.0
STOP_LIMIT_S = 15.0

CONFIG = """version = 1
[upstream]
base_url = "{url}"
"""
ACCOUNT = """[[accounts]]
name = "bench-{n}"
kind = "api_key"
secret = "env:BENCH_KEY_{n}"
base_url = "{url}"
"""


class BenchError(Exception):
    """The bench cannot go on; the text says why."""


def new_loop():
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def pin(core):
    """Keep this process on `core` where the system can, and the machine has as many."""
    if hasattr(os, "sched_setaffinity") and core in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {core})


def cores():
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


class Process:
    """A child process and what /proc tells of it and its children."""

    def __init__(self, name, command, core, **kwargs):
        self.name = name
        self.child = subprocess.Popen(command, preexec_fn=lambda: pin(core), **kwargs)

    def pids(self):
        found, queue = [], [self.child.pid]
        while queue:
            pid = queue.pop()
            found.append(pid)
            try:
                for task in Path(f"/proc/{pid}/task").iterdir():
                    queue += map(int, (task / "children").read_text().split())
            except OSError:
                continue
        return found

    def cpu_s(self):
        """CPU seconds so far, user and system, children included."""
        ticks = 0
        for pid in self.pids():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks += sum(map(int, fields[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def rss_bytes(self):
        pages = 0
        for pid in self.pids():
            try:
                pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            except OSError:
                continue
        return pages * os.sysconf("SC_PAGE_SIZE")

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        return self.child.returncode


@contextmanager
def upstream(events, interval_ms):
    command = [sys.executable, "-m", "benchlib.upstream"]
    command += ["--events", str(events), "--interval-ms", str(interval_ms)]
    process = Process("upstream", command, cores()[-1], stdout=subprocess.PIPE, cwd=SCRIPTS)
    try:
        line = process.child.stdout.readline()
        if not line:
            raise BenchError("the bench's own upstream did not start")
        process.port = int(line)
        yield process
    finally:
        process.stop()
        process.child.stdout.close()


@contextmanager
def proxy(upstream_port, folder, accounts=3):
    url = f"http://127.0.0.1:{upstream_port}"
    config = folder / "bench.toml"
    entries = [ACCOUNT.format(n=n, url=url) for n in range(accounts)]
    config.write_text(CONFIG.format(url=url) + "".join(entries))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    keys = {f"BENCH_KEY_{n}": f"sk-ant-api03-bench-key-number-{n:04}" for n in range(accounts)}
    log = folder / "proxy.log"
    command = [sys.executable, "-m", "maxpool", "serve", "--config", str(config)]
    with log.open("wb") as sink:
        process = Process(
            "maxpool", [*command, "--port", str(port)], cores()[0], stdout=sink, stderr=sink,
            cwd=SCRIPTS.parent, env={**os.environ, **keys, "MAXPOOL_HOME": str(folder / "home")},
        )  # fmt: skip
    process.port, process.log = port, log
    try:
        wait_until_up(process)
        yield process
    finally:
        process.stop()


def wait_until_up(process):
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", process.port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    code = process.child.poll()
    how = f"ended with exit code {code}" if code is not None else f"was not up in {START_LIMIT_S} s"
    tail = "\n".join(process.log.read_text(errors="replace").splitlines()[-15:])
    raise BenchError(f"maxpool serve {how}. Its last lines:\n{tail}")

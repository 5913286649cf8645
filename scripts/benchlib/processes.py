"""Child processes of the lab: each on its core, measured with all its children, and stopped again."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from benchlib.machine import LOAD_CORE, BenchError, pin

SCRIPTS = Path(__file__).resolve().parent.parent
START_LIMIT_S = 30.0
STOP_LIMIT_S = 15.0


def new_loop():
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


@contextmanager
def room_for_sockets():
    """Raise this process's own limit of open files; yields the limit that was, which children get."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        yield soft
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def cpu_clock(pid):
    """The id of another process's CPU clock (clock_getcpuclockid(3) makes it the same way)."""
    return (~pid << 3) | 2


class Tree:
    """A process by its pid, with all its children, and what the system tells of them."""

    def __init__(self, pid):
        self.pid = pid

    def pids(self):
        found, queue = [], [self.pid]
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
        """CPU seconds so far of the processes that live, user and system, to the nanosecond."""
        used = 0.0
        for pid in self.pids():
            try:
                used += time.clock_gettime(cpu_clock(pid))
            except OSError:
                continue
        return used

    def waited_s(self):
        """Seconds in which its processes could have run and others had the core (proc(5), schedstat)."""
        waited = 0
        for pid in self.pids():
            try:
                waited += int(Path(f"/proc/{pid}/schedstat").read_text().split()[1])
            except (OSError, IndexError):
                continue
        return waited / 1e9

    def rss_bytes(self):
        pages = 0
        for pid in self.pids():
            try:
                pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            except OSError:
                continue
        return pages * os.sysconf("SC_PAGE_SIZE")

    def pin(self, core):
        """Move all its threads to a core."""
        for pid in self.pids():
            for task in Path(f"/proc/{pid}/task").iterdir():
                pin(core, int(task.name))


class Child(Tree):
    """A process that the lab starts and stops."""

    def __init__(self, name, command, core, files=None, **kwargs):
        def prepare():
            pin(core)
            if files is not None:
                _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))

        self.name = name
        self.child = subprocess.Popen(command, preexec_fn=prepare, **kwargs)
        super().__init__(self.child.pid)

    def stop(self, sign=signal.SIGTERM):
        if self.child.poll() is None:
            self.child.send_signal(sign)
            try:
                self.child.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        return self.child.returncode


@contextmanager
def upstream(port=0):
    """The lab's upstream, on the load's core."""
    command = [sys.executable, "-m", "benchlib.upstream", "--port", str(port)]
    child = Child("upstream", command, LOAD_CORE, stdout=subprocess.PIPE, cwd=SCRIPTS)
    try:
        line = child.child.stdout.readline()
        if not line:
            raise BenchError(f"the bench's own upstream did not start on port {port}")
        child.port = int(line)
        yield child
    finally:
        child.stop()
        child.child.stdout.close()
